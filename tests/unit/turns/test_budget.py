"""How fast an account may post. Redis's twin passes the same tests in the integration tests."""

import pytest

from parlour.turns.budget import Lane, LocalBudget, SendBudget
from parlour.turns.ports import SendLimits
from tests.fakes.clock import FakeClock

ANN, BEN, OTHER = Lane("bot", "ann"), Lane("bot", "ben"), Lane("other-bot", "ann-there")
NO_LIMITS = SendLimits()
# Slow enough that what passes of Redis's time meanwhile makes no difference.
CHAT = SendLimits(chat_per_s=0.001, chat_burst=2)
ACCOUNT = SendLimits(account_per_s=0.002, account_burst=4)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def budget(clock: FakeClock) -> SendBudget:
    return LocalBudget(monotonic=clock.elapsed)


def test_without_limits_everything_goes(budget: SendBudget) -> None:
    assert {budget.reserve(ANN, NO_LIMITS) for _ in range(100)} == {0.0}


def test_a_chat_takes_a_burst_and_then_names_its_time(budget: SendBudget) -> None:
    assert [budget.reserve(ANN, CHAT), budget.reserve(ANN, CHAT)] == [0.0, 0.0]
    assert budget.reserve(ANN, CHAT) == pytest.approx(1_000, abs=60)


def test_one_chats_limit_is_no_other_chats(budget: SendBudget) -> None:
    for _ in range(3):
        budget.reserve(ANN, CHAT)

    assert budget.reserve(BEN, CHAT) == 0.0


def test_an_accounts_limit_is_shared_by_its_chats(budget: SendBudget) -> None:
    for _ in range(2):
        budget.reserve(ANN, ACCOUNT)
        budget.reserve(BEN, ACCOUNT)

    assert budget.reserve(Lane("bot", "cid"), ACCOUNT) == pytest.approx(500, abs=60)
    assert budget.reserve(OTHER, ACCOUNT) == 0.0


def test_what_was_refused_costs_nothing(budget: SendBudget) -> None:
    """Asking again and again must not push one's turn away."""
    for _ in range(10):
        budget.reserve(ANN, CHAT)

    assert budget.reserve(ANN, CHAT) <= 1_000


def test_drafts_leave_half_of_a_burst_to_finals(budget: SendBudget) -> None:
    limits = SendLimits(chat_per_s=0.001, chat_burst=4)
    granted = [budget.reserve(ANN, limits, is_draft=True) == 0.0 for _ in range(4)]

    assert granted == [True, True, False, False]
    assert [budget.reserve(ANN, limits), budget.reserve(ANN, limits)] == [0.0, 0.0]


def test_a_chat_that_said_429_is_closed_for_so_long(budget: SendBudget) -> None:
    budget.block(ANN, seconds=300, is_whole_account=False)

    assert budget.reserve(ANN, CHAT) == pytest.approx(300, abs=60)
    assert budget.reserve(BEN, CHAT) == 0.0


def test_an_account_that_said_429_is_closed_as_a_whole(budget: SendBudget) -> None:
    budget.block(ANN, seconds=300, is_whole_account=True)

    assert budget.reserve(BEN, CHAT) == pytest.approx(300, abs=60)
    assert budget.reserve(OTHER, CHAT) == 0.0


def test_a_shorter_429_does_not_open_what_a_longer_one_closed(budget: SendBudget) -> None:
    budget.block(ANN, seconds=300, is_whole_account=False)
    budget.block(ANN, seconds=1, is_whole_account=False)

    assert budget.reserve(ANN, CHAT) == pytest.approx(300, abs=60)


def test_a_429_counts_where_no_limits_are_known(clock: FakeClock) -> None:
    budget = LocalBudget(monotonic=clock.elapsed)
    budget.block(ANN, seconds=300, is_whole_account=False)

    assert budget.reserve(ANN, NO_LIMITS) == 300
    clock.advance(300)
    assert budget.reserve(ANN, NO_LIMITS) == 0.0


def test_over_a_long_time_the_rate_is_kept(clock: FakeClock) -> None:
    budget = LocalBudget(monotonic=clock.elapsed)
    granted = 0
    for _ in range(1_000):
        granted += budget.reserve(ANN, CHAT) == 0.0
        clock.advance(100)

    assert granted == 101


@pytest.mark.parametrize("burst", [1, 2, 3])
def test_a_burst_goes_at_once_whatever_the_clock_says(clock: FakeClock, burst: int) -> None:
    limits = SendLimits(account_per_s=1 / 3_600, account_burst=burst)
    waits = set()
    for number in range(500):
        clock.advance(17.3)
        budget = LocalBudget(monotonic=clock.elapsed)
        waits |= {budget.reserve(Lane(str(number), "ann"), limits) for _ in range(burst)}

    assert waits == {0.0}


def test_whoever_comes_back_at_the_named_time_is_let_through(clock: FakeClock) -> None:
    budget = LocalBudget(monotonic=clock.elapsed)
    for _ in range(50):
        if (wait_s := budget.reserve(ANN, CHAT)) > 0:
            clock.advance(wait_s + 1e-9)
            assert budget.reserve(ANN, CHAT) == 0.0


def test_chats_long_silent_are_forgotten(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parlour.turns.budget._REMEMBERED", 10)
    budget = LocalBudget(monotonic=clock.elapsed)

    for number in range(100):
        budget.reserve(Lane("bot", str(number)), CHAT)

    assert len(budget._buckets) == 10
