"""What the unit tests say of turns on SQLite holds on PostgreSQL too: the same tests, another stage."""

# ruff: noqa: F403 (collected here once more, with this folder's fixtures)
from tests.unit.turns.test_announcements import *
from tests.unit.turns.test_answer import *
from tests.unit.turns.test_commands import *
from tests.unit.turns.test_context import *
from tests.unit.turns.test_deliver import *
from tests.unit.turns.test_history import *
from tests.unit.turns.test_intake import *
from tests.unit.turns.test_ledger import *
from tests.unit.turns.test_order import *
from tests.unit.turns.test_rich_answers import *
from tests.unit.turns.test_stuck import *
from tests.unit.turns.test_sweeper import *
