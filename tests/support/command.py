"""The `parlour` command, as typed, in this process."""

from collections.abc import Callable

import pytest

from parlour.cli.main import run

Command = Callable[..., tuple[int, str, str]]


def typed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command line: exit code, stdout, stderr."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        run(arguments)
    captured = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, captured.out, captured.err
