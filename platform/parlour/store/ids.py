"""Typed identifiers. All are UUIDv7, so that new rows land at the end of their index."""

from typing import NewType
from uuid import UUID

from uuid6 import uuid7

WorkspaceId = NewType("WorkspaceId", UUID)
AccountId = NewType("AccountId", UUID)
UserId = NewType("UserId", UUID)
IdentityId = NewType("IdentityId", UUID)
ConversationId = NewType("ConversationId", UUID)
TurnId = NewType("TurnId", UUID)
MessageId = NewType("MessageId", UUID)
AttachmentId = NewType("AttachmentId", UUID)
DeliveryId = NewType("DeliveryId", UUID)
FeedbackId = NewType("FeedbackId", UUID)
HandoffId = NewType("HandoffId", UUID)
SkillId = NewType("SkillId", UUID)
JobId = NewType("JobId", UUID)

# Whose data key seals a value: a person, or a workspace for what belongs to no person (bot tokens, group addresses).
SubjectId = UserId | WorkspaceId


def new_id() -> UUID:
    """A fresh UUIDv7; wrap it in the type of what it names."""
    return UUID(bytes=uuid7().bytes)
