"""Celery gets ids and nothing else: no content ever stands in a broker."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "platform" / "parlour"


def _functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                yield f"{path.stem}.{node.name}", node


def _is_task(function: ast.FunctionDef) -> bool:
    """Whether a decorator registers it (`@app.task`, `@shared_task`)."""
    return any(re.search(r"(^|[._])task\b", ast.unparse(mark)) for mark in function.decorator_list)


TASKS = {name: function for name, function in _functions() if _is_task(function)}


def test_there_are_tasks_to_look_at() -> None:
    assert TASKS


@pytest.mark.parametrize("name", TASKS)
def test_a_tasks_arguments_are_ids(name: str) -> None:
    arguments = TASKS[name].args
    names = [one.arg for one in (*arguments.args, *arguments.kwonlyargs) if one.arg not in {"self", "task"}]

    assert all(one.endswith("_id") for one in names)
    assert arguments.vararg is None
    assert arguments.kwarg is None
