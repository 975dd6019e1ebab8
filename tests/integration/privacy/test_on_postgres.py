"""What the unit tests say of privacy on SQLite holds on PostgreSQL too: the same tests, another stage."""

# ruff: noqa: F403 (collected here once more, with this folder's fixtures)
from tests.unit.privacy.test_audit import *
from tests.unit.privacy.test_erasure import *
from tests.unit.privacy.test_export import *
from tests.unit.privacy.test_requests import *
from tests.unit.privacy.test_retention import *
from tests.unit.privacy.test_tampering import *
