"""Sealed values: they open where they belong and nowhere else."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import InstrumentedAttribute

from parlour.privacy.errors import KeyShredded, KeysMissing, SealBroken
from parlour.store.ids import TurnId, UserId, new_id
from parlour.store.models import Attachment, Identity, Message
from tests.support.storage import Storage

ONE_PLACE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXTS = st.text(st.characters(codec=None), max_size=200)
ROW = new_id()


def _person(storage: Storage) -> UserId:
    user_id = UserId(new_id())
    storage.privacy.keyring.create(user_id)
    return user_id


@ONE_PLACE
@given(TEXTS)
def test_any_text_comes_back_as_it_went_in(storage: Storage, text: str) -> None:
    """But lone surrogates, which no page and no file could show: something stands in their place."""
    ann = _person(storage)

    sealed = storage.privacy.sealer.seal(ann, Message.body, ROW, text)

    opened = storage.privacy.sealer.open_text(ann, Message.body, ROW, sealed)
    assert [letter for letter in opened if letter != "\ufffd"] == [
        letter for letter in text if letter != "\ufffd" and not "\ud800" <= letter <= "\udfff"
    ]
    opened.encode()


@ONE_PLACE
@given(st.binary(max_size=2000))
def test_any_bytes_come_back_as_they_went_in(storage: Storage, content: bytes) -> None:
    ann = _person(storage)

    sealed = storage.privacy.sealer.seal(ann, Attachment.content, ROW, content)

    assert storage.privacy.sealer.open(ann, Attachment.content, ROW, sealed) == content


def test_the_plaintext_does_not_show_and_no_two_seals_are_alike(storage: Storage) -> None:
    ann = _person(storage)

    one, other = (storage.privacy.sealer.seal(ann, Message.body, ROW, "open sesame") for _ in range(2))

    assert b"sesame" not in one
    assert one[17:] != other[17:]


@ONE_PLACE
@given(st.data())
def test_any_flipped_bit_is_noticed_and_the_row_named(storage: Storage, data: st.DataObject) -> None:
    ann = _person(storage)
    sealed = bytearray(storage.privacy.sealer.seal(ann, Message.body, ROW, "open sesame"))

    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(SealBroken, match=f"messages.body in row {ROW}") as caught:
        storage.privacy.sealer.open(ann, Message.body, ROW, bytes(sealed))
    assert "sesame" not in str(caught.value)


@ONE_PLACE
@given(st.data())
def test_a_value_cut_short_anywhere_is_noticed(storage: Storage, data: st.DataObject) -> None:
    ann = _person(storage)
    sealed = storage.privacy.sealer.seal(ann, Message.body, ROW, "open sesame")

    cut = sealed[: data.draw(st.integers(0, len(sealed) - 1))]

    with pytest.raises(SealBroken, match=str(ROW)):
        storage.privacy.sealer.open(ann, Message.body, ROW, cut)


@pytest.mark.parametrize(
    ("column", "row"),
    [(Message.body, new_id()), (Identity.name, ROW), (Attachment.name, ROW)],
    ids=["another row", "another column", "another table's column of that name"],
)
def test_a_value_moved_elsewhere_does_not_open(storage: Storage, column: InstrumentedAttribute[Any], row: UUID) -> None:
    ann = _person(storage)
    sealed = storage.privacy.sealer.seal(ann, Identity.external_id, ROW, "12345")
    if column is Message.body:
        sealed = storage.privacy.sealer.seal(ann, Message.body, ROW, "12345")

    with pytest.raises(SealBroken, match=str(row)):
        storage.privacy.sealer.open(ann, column, row, sealed)


def test_a_value_given_to_another_person_does_not_open(storage: Storage) -> None:
    ann, bob = _person(storage), _person(storage)
    sealed = storage.privacy.sealer.seal(ann, Message.body, ROW, "open sesame")

    with pytest.raises(SealBroken, match=f"row {ROW} does not open for {bob}"):
        storage.privacy.sealer.open(bob, Message.body, ROW, sealed)


def test_names_that_run_together_are_kept_apart(storage: Storage) -> None:
    """`identities.name` and `attachments.name`, in the same row id, under the same key."""
    ann = _person(storage)
    sealed = storage.privacy.sealer.seal(ann, Identity.name, ROW, "Ann")

    with pytest.raises(SealBroken):
        storage.privacy.sealer.open(ann, Attachment.name, ROW, sealed)


def test_a_live_frame_opens_for_its_turn_alone(storage: Storage) -> None:
    ann, turn = _person(storage), TurnId(new_id())

    sealed = storage.privacy.sealer.seal_live(ann, turn, b"so far")

    assert storage.privacy.sealer.open_live(ann, turn, sealed) == b"so far"
    with pytest.raises(SealBroken):
        storage.privacy.sealer.open_live(ann, TurnId(new_id()), sealed)
    with pytest.raises(SealBroken):
        storage.privacy.sealer.open(ann, Message.body, turn, sealed)


def test_nothing_is_sealed_for_someone_without_a_key(storage: Storage) -> None:
    with pytest.raises(KeysMissing, match="has no data key"):
        storage.privacy.sealer.seal(UserId(new_id()), Message.body, ROW, "hello")


def test_nothing_opens_once_the_key_is_shredded(storage: Storage) -> None:
    ann = _person(storage)
    sealed = storage.privacy.sealer.seal(ann, Message.body, ROW, "open sesame")
    storage.shred(ann)
    storage.privacy.keyring.forget(ann)

    with pytest.raises(KeyShredded, match="was shredded"):
        storage.privacy.sealer.open(ann, Message.body, ROW, sealed)
