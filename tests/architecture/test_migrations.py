"""Revisions follow one another: two that were written side by side must not both follow the same one."""

from collections import Counter

import pytest

from parlour.store import schema
from parlour.store.schema import Schema


@pytest.mark.parametrize("which", list(Schema))
def test_every_revision_follows_another_and_is_there_once(which: Schema) -> None:
    folder = schema._folder() / which.value
    lines = [line for path in folder.glob("*.py") for line in path.read_text(encoding="utf-8").splitlines()]

    for name in ("revision = ", "down_revision = "):
        assert max(Counter(line for line in lines if line.startswith(name)).values()) == 1


@pytest.mark.parametrize("which", list(Schema))
def test_a_revisions_file_is_named_by_it(which: Schema) -> None:
    for path in (schema._folder() / which.value).glob("*.py"):
        assert f'\nrevision = "{path.name.partition("_")[0]}"\n' in path.read_text(encoding="utf-8")
