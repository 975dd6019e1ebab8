"""The classes of data, and for each table about people: its class, what its time counts from, where it belongs."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, select
from sqlalchemy.orm import InstrumentedAttribute

from parlour.store.models import Account, Attachment, Base, Conversation, Feedback, Message, Turn, User
from parlour.store.outbound_models import Handoff, Subscription
from parlour.store.people_models import ProfileEntry, UsageDay
from parlour.store.skill_models import SkillDocument
from parlour.store.tables import CONTENT


class DataClass(StrEnum):
    """What a retention rule is about."""

    IDENTITY = "identity"  # the person as a whole, when they were not heard of for so long
    MESSAGE = "message"
    ATTACHMENT = "attachment"
    PROFILE = "profile"
    SKILL_DOCUMENT = "skill-document"
    FEEDBACK = "feedback"
    OPERATIONAL = "operational"  # turns and their deliveries, use by day


@dataclass(frozen=True, slots=True)
class Kept:
    """A table whose rows have a time of their own. `conversation` is None for what belongs to no conversation."""

    table: type[Any]
    data_class: DataClass
    since: InstrumentedAttribute[Any]
    conversation: ColumnElement[Any] | InstrumentedAttribute[Any] | None = None
    # Stays until somebody ends it, unless a rule is set: what holds for its class by default is not for it.
    is_ended_by_people: bool = False

    @property
    def user(self) -> InstrumentedAttribute[Any]:
        """Whose row it is."""
        column: InstrumentedAttribute[Any] = User.id if self.table is User else self.table.user_id
        return column

    @property
    def workspace(self) -> ColumnElement[Any]:
        """The workspace that the row belongs to."""
        if self.table is User:
            return User.__table__.c.workspace_id
        return select(User.workspace_id).where(User.id == self.user).scalar_subquery()

    @property
    def channel(self) -> ColumnElement[Any] | None:
        """The messenger that the row belongs to."""
        if self.conversation is None:
            return None
        its = Conversation.id == self.conversation
        return (
            select(Account.channel).join(Conversation, Conversation.account_id == Account.id).where(its)
        ).scalar_subquery()


# What goes first stands first: a file before its message, a message before its turn. What a row's conversation is says
# which row (`correlate`): it stands inside of a subquery too (`channel`), where SQLAlchemy would look at all rows.
KEPT: Final = (
    Kept(
        Attachment,
        DataClass.ATTACHMENT,
        Attachment.created_at,
        select(Message.conversation_id)
        .where(Message.id == Attachment.message_id)
        .correlate(Attachment)
        .scalar_subquery(),
    ),
    Kept(
        Feedback,
        DataClass.FEEDBACK,
        Feedback.created_at,
        select(Turn.conversation_id).where(Turn.id == Feedback.turn_id).correlate(Feedback).scalar_subquery(),
    ),
    Kept(Message, DataClass.MESSAGE, Message.created_at, Message.conversation_id),
    Kept(Turn, DataClass.OPERATIONAL, Turn.received_at, Turn.conversation_id),
    Kept(ProfileEntry, DataClass.PROFILE, ProfileEntry.updated_at),
    Kept(
        Subscription, DataClass.PROFILE, Subscription.created_at, Subscription.conversation_id, is_ended_by_people=True
    ),
    Kept(Handoff, DataClass.OPERATIONAL, Handoff.created_at, Handoff.conversation_id),
    Kept(SkillDocument, DataClass.SKILL_DOCUMENT, SkillDocument.updated_at),
    Kept(UsageDay, DataClass.OPERATIONAL, UsageDay.day),
    Kept(User, DataClass.IDENTITY, User.created_at),
)

# Tables about people without a time of their own, and what they go with.
GO_WITH: Final = {
    "identities": "users",
    "consents": "users",
    "conversations": "users",
    "deliveries": "messages",
    "legal_holds": "users",
    "logins": "users",
    "privacy_requests": "turns",
}

# Sealed columns that are under the key of a person who is only mentioned in the row, and the column that names them.
SEALED_BY_MENTION: Final = {("handoffs", "agent_name"): "agent_id"}


def kept(data_class: DataClass) -> Sequence[Kept]:
    """The tables of a class."""
    return [one for one in KEPT if one.data_class is data_class]


def knows_conversations(data_class: DataClass) -> bool:
    """Whether rules of this class can be about one channel or conversation."""
    return all(one.conversation is not None or one.table is UsageDay for one in kept(data_class))


def user_columns(table: Table) -> list[str]:
    """The columns of the table that name the person whose row it is: it goes with them."""
    return [name for name, on_delete in _references(table) if on_delete != "SET NULL"]


def mention_columns(table: Table) -> list[str]:
    """The columns that name a person in a row of somebody else's: it stays and loses the name."""
    return [name for name, on_delete in _references(table) if on_delete == "SET NULL"]


def _references(table: Table) -> list[tuple[str, str | None]]:
    users = CONTENT.tables["users"]
    return [(c.name, key.ondelete) for c in table.columns for key in c.foreign_keys if key.column.table is users]


def personal_tables() -> list[Table]:
    """Every table about people, in the order in which rows refer to each other: people first."""
    users = CONTENT.tables["users"]
    return [table for table in CONTENT.sorted_tables if table is users or _references(table)]


def model_of(table: Table) -> type[Any]:
    """The class that maps the table."""
    return next(mapper.class_ for mapper in Base.registry.mappers if mapper.local_table is table)
