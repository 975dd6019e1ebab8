"""Handoffs on PostgreSQL too: a module of its own, since its stage has a place where agents are."""

# ruff: noqa: F403 (collected here once more, with this folder's fixtures)
from tests.unit.turns.test_handoffs import *
