"""`/skills`: hand one in, see what it asks for, install exactly that; another version the same way, tried out first."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Body as RawBody
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from parlour.admin.api.authority import Caller, changes
from parlour.admin.api.resource import Body, resource
from parlour.admin.api.resources.skills import Name, SkillShown, book_of, shown
from parlour.admin.rights import Right
from parlour.admin.uploads import counter_of
from parlour.skills.handing_in import Proposal

router = resource()

_EXAMPLE = "upload:0123456789abcdef0123456789abcdef"
_Source = Annotated[
    str, Field(min_length=1, max_length=500, description="`NAME==VERSION`, `git+https://…@REF`, or of an upload.")
]
Manager = Annotated[Caller, changes(Right.MANAGE_SKILLS)]


class Source(Body):
    """Where a skill is. No path of the server is a source here."""

    model_config = ConfigDict(json_schema_extra={"example": {"source": _EXAMPLE}})

    source: _Source


class Agreed(Body):
    """What was shown, and what of it is granted."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"source": _EXAMPLE, "digest": "0" * 64, "grants": ["Model", "UserStore"]}}
    )

    source: _Source
    digest: str = Field(min_length=64, max_length=64, description="As it was shown.")
    grants: list[Annotated[str, Field(max_length=300)]] = Field(
        max_length=200, description="All of `asks`: a skill is installed with what it asks for, or not at all."
    )


class Offered(BaseModel):
    """What would be installed. Nothing of it has run, but for another version that was tried out."""

    source: str
    digest: str = Field(description="Of exactly this: hand it back to install it.")
    name: str
    version: str
    description: str
    asks: list[str] = Field(description="What it asks for and does not have yet.")
    keeps: dict[str, str]
    clashes: list[str] = Field(description="Commands that installed skills have too: people reach one of them.")
    replaces: str | None = Field(description="The version that is installed now.")


class Handed(BaseModel):
    """An upload, kept for an hour."""

    source: str = Field(description="What to look at and to install it by.")


@router.post("/skills/uploads", status_code=HTTPStatus.CREATED, summary="Upload a skill")
def upload(
    caller: Manager,
    name: Annotated[
        str, Query(max_length=300, description="The file's name.", examples=["parlour_notes-0.1.0-py3-none-any.whl"])
    ],
    content: Annotated[bytes, RawBody(media_type="application/octet-stream", description="The wheel or sdist.")],
) -> Handed:
    """Keep a file to look at and to install; where nobody does, it is deleted after an hour."""
    return Handed(source=counter_of(caller.platform).take(book_of(caller), name, content))


@router.post("/skills/offers", summary="Look at a skill before it is installed")
def look(caller: Manager, given: Source) -> Offered:
    """What it is and asks for. Nothing of it runs."""
    return _offered(counter_of(caller.platform).propose(book_of(caller), given.source))


@router.post("/skills", status_code=HTTPStatus.CREATED, summary="Install a skill")
def install(caller: Manager, agreed: Agreed) -> SkillShown:
    """Install what was shown under that digest; 409 where the source holds something else by now."""
    counter, granted = counter_of(caller.platform), frozenset(agreed.grants)
    return shown(counter.accept(book_of(caller), agreed.source, digest=agreed.digest, granted=granted))


@router.post("/skills/{name}/upgrades/offers", summary="Try another version of a skill out")
def try_out(caller: Manager, name: Name, given: Source) -> Offered:
    """Build it, start it once and change nothing: what more it asks for, or why it would not do (422)."""
    counter, book = counter_of(caller.platform), book_of(caller)
    proposal = counter.propose(book, given.source, upgrading=name)
    return _offered(counter.try_out(book, given.source, digest=proposal.digest, upgrading=name))


@router.post("/skills/{name}/upgrades", summary="Upgrade a skill")
def upgrade(caller: Manager, name: Name, agreed: Agreed) -> SkillShown:
    """Put the version that was shown in its place; what it stored and its settings stay."""
    counter, granted = counter_of(caller.platform), frozenset(agreed.grants)
    return shown(counter.accept(book_of(caller), agreed.source, digest=agreed.digest, granted=granted, upgrading=name))


def _offered(proposal: Proposal) -> Offered:
    offer = proposal.offer
    return Offered(
        source=proposal.source,
        digest=proposal.digest,
        name=offer.manifest.name,
        version=offer.manifest.version,
        description=offer.manifest.description,
        asks=list(offer.new_grants),
        keeps=dict(offer.manifest.keeps),
        clashes=[str(one) for one in offer.clashes],
        replaces=offer.before.version if offer.before else None,
    )
