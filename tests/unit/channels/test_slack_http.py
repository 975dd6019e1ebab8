"""Telling Slack's requests from forged and stale ones; states of an installation."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import Clock, SignatureVerifier

from parlour.channels.slack_http import is_genuine
from parlour.channels.slack_oauth import StateRejected, States

SECRET, NOW = "signing-secret", 1_700_000_000.0


class FixedClock(Clock):
    def now(self) -> float:
        return NOW


VERIFIER = SignatureVerifier(SECRET, FixedClock())


def signature(body: bytes, timestamp: int = int(NOW)) -> str:
    return str(VERIFIER.generate_signature(timestamp=str(timestamp), body=body))


def is_taken(body: bytes, *, timestamp: str | None, signed: str | None) -> bool:
    return is_genuine(SECRET, body, timestamp=timestamp, signature=signed, now=NOW)


@given(st.text(max_size=200).map(str.encode))
def test_what_slacks_own_verifier_signs_is_genuine(body: bytes) -> None:
    assert is_taken(body, timestamp=str(int(NOW)), signed=signature(body))


@pytest.mark.parametrize(("age_s", "is_fresh"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_a_request_is_fresh_for_five_minutes_either_way(age_s: int, is_fresh: bool) -> None:
    moment = int(NOW) - age_s

    assert is_taken(b"x", timestamp=str(moment), signed=signature(b"x", moment)) is is_fresh


@given(st.one_of(st.none(), st.text(max_size=80)), st.one_of(st.none(), st.text(max_size=80)))
def test_nothing_else_is_genuine_and_nothing_crashes(timestamp: str | None, signed: str | None) -> None:
    assert not is_taken(b"x", timestamp=timestamp, signed=signed)


def test_without_a_secret_nothing_is_genuine() -> None:
    body = f"v0:{int(NOW)}:x".encode()
    signed = f"v0={hmac.new(b'', body, hashlib.sha256).hexdigest()}"

    assert not is_genuine("", b"x", timestamp=str(int(NOW)), signature=signed, now=NOW)


class TestStates:
    """States of an installation."""

    def test_a_state_is_good_for_its_browser_once(self) -> None:
        states = States("secret", now=lambda: NOW)
        state, browser = states.issue()

        states.take(state, browser)

        with pytest.raises(StateRejected):
            states.take(state, browser)

    def test_another_gateway_with_the_same_secret_takes_it_and_one_with_another_does_not(self) -> None:
        state, browser = States("secret", now=lambda: NOW).issue()

        States("secret", now=lambda: NOW).take(state, browser)

        with pytest.raises(StateRejected):
            States("other", now=lambda: NOW).take(state, browser)

    def test_a_state_is_too_old_after_ten_minutes(self) -> None:
        state, browser = States("secret", now=lambda: NOW).issue()

        with pytest.raises(StateRejected):
            States("secret", now=lambda: NOW + 601).take(state, browser)

    @given(st.text(max_size=100), st.text(max_size=40))
    def test_nothing_else_is_a_state(self, state: str, browser: str) -> None:
        with pytest.raises(StateRejected):
            States("secret", now=lambda: NOW).take(state, browser)
