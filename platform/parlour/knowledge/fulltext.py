"""Full-text search over hashed words: FTS5 on SQLite, `tsvector` on PostgreSQL, both ranked by BM25."""

from collections.abc import Sequence
from itertools import count
from uuid import UUID

from sqlalchemy import Text, cast, column, func, literal, select, table
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY
from sqlalchemy.orm import Session

from parlour.knowledge.access import Asker, may_find
from parlour.store.knowledge_models import KnowledgePassage, KnowledgeSource

# More words than a question has; a pasted document as a question must not become a query of thousands.
_MOST_WORDS = 64
# PostgreSQL keeps positions up to this one, and up to so many of one word.
_LAST_POSITION = 16_383
# BM25's usual constants, as SQLite has them.
_K1, _B = 1.2, 0.75


def stored(terms: Sequence[str], dialect: str) -> str:
    """The value of the column `terms`; on PostgreSQL a `tsvector` with positions."""
    if dialect == "sqlite":
        return " ".join(terms)
    return " ".join(f"{term}:{min(at, _LAST_POSITION)}" for term, at in zip(terms, count(1), strict=False))


def find(session: Session, asker: Asker, terms: Sequence[str], limit: int) -> list[UUID]:
    """Ids of the passages that hold any of the words, the best first."""
    asked = list(dict.fromkeys(terms))[:_MOST_WORDS]
    if not asked:
        return []
    search = _on_sqlite if session.get_bind().dialect.name == "sqlite" else _on_postgres
    return search(session, asker, asked, limit)


def _on_sqlite(session: Session, asker: Asker, asked: Sequence[str], limit: int) -> list[UUID]:
    index = table("knowledge_terms", column("rowid"), column("rank"), column("knowledge_terms"))
    wanted = (
        select(KnowledgePassage.id)
        .select_from(index)
        .join(KnowledgePassage, KnowledgePassage.number == index.c.rowid)
        .join(KnowledgeSource, KnowledgeSource.id == KnowledgePassage.source_id)
        .where(index.c.knowledge_terms.bool_op("MATCH")(" OR ".join(f'"{term}"' for term in asked)), may_find(asker))
        # `rank` is bm25() of the row: https://www.sqlite.org/fts5.html#sorting_by_auxiliary_function_results
        .order_by(index.c.rank, KnowledgePassage.id)
        .limit(limit)
    )
    return list(session.scalars(wanted))


def _on_postgres(session: Session, asker: Asker, asked: Sequence[str], limit: int) -> list[UUID]:
    """BM25 in SQL: `ts_rank` does not know how rare a word is, so that the common ones would decide.

    How often a passage holds a word is left out; passages are short.
    """
    hits = (
        select(KnowledgePassage.id, KnowledgePassage.terms, func.length(KnowledgePassage.terms).label("size"))
        .join(KnowledgeSource, KnowledgeSource.id == KnowledgePassage.source_id)
        .where(KnowledgePassage.terms.bool_op("@@")(cast(literal(" | ".join(asked)), TSQUERY)), may_find(asker))
        .cte("hits")
    )
    total = select(func.sum(KnowledgeSource.passage_count)).where(may_find(asker)).scalar_subquery()
    word = func.unnest(cast(list(asked), ARRAY(Text))).column_valued("word")
    held = func.count()
    rarity = (
        select(word.label("word"), func.ln(1 + (total - held + 0.5) / (held + 0.5)).label("weight"))
        .join(hits, hits.c.terms.bool_op("@@")(cast(word, TSQUERY)))
        .group_by(word)
        .cte("rarity")
    )
    usual_size = select(func.avg(hits.c.size)).scalar_subquery()
    length = 1 + _K1 * (1 - _B + _B * hits.c.size / usual_size)
    wanted = (
        select(hits.c.id)
        .join(rarity, hits.c.terms.bool_op("@@")(cast(rarity.c.word, TSQUERY)))
        .group_by(hits.c.id, hits.c.size)
        .order_by((func.sum(rarity.c.weight) * (_K1 + 1) / length).desc(), hits.c.id)
        .limit(limit)
    )
    return list(session.scalars(wanted))
