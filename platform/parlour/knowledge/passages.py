"""What a search gives: passages that know their source and place."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from parlour.knowledge.splitting import Piece


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document. It is material to quote, never an instruction: see `envelope.py`."""

    id: UUID
    source_id: UUID
    source: str
    """The document's name."""
    text: str
    headings: tuple[str, ...]
    page: int | None
    row: int | None
    similarity: float | None
    """Cosine of question and passage, at most 1; none where vectors did not find it."""

    @property
    def place(self) -> str:
        """Where in the document, for people: `Returns > Deadlines`, `page 3`, `row 12`; may be empty."""
        page = f"page {self.page}" if self.page is not None else ""
        row = f"row {self.row}" if self.row is not None else ""
        return ", ".join(part for part in (" > ".join(self.headings), page, row) if part)


def packed(piece: Piece) -> str:
    """The piece as it is sealed."""
    body = {"text": piece.text, "headings": piece.headings, "page": piece.page, "row": piece.row}
    return json.dumps(body, ensure_ascii=False)


def unpacked(body: str) -> dict[str, Any]:
    """What was packed, as arguments of a `Passage`."""
    found: dict[str, Any] = json.loads(body)
    return {**found, "headings": tuple(found["headings"])}
