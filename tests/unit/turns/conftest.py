"""A stage on SQLite for every test of turns."""

from tests.support.sqlite_stage import MakeStage, make_stage, stage, template

__all__ = ["MakeStage", "make_stage", "stage", "template"]
