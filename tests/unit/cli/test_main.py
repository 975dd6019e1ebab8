"""Every command ends the same way: 0 done, 1 with one clear line, 2 wrong usage, never a traceback."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parlour import __version__
from parlour.cli import main
from parlour.cli.errors import Refused, one_line

MODULE = """
import typer
from parlour.cli.errors import Refused
app = typer.Typer()

@app.command()
def {name}(wanted: str = "") -> None:
    {body}
"""

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `parlour ARGUMENTS`; with a body, `parlour probe` is a command that does that."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def runs(*arguments: str, body: str = "pass") -> int:
        (tmp_path / "probe_command.py").write_text(MODULE.format(name="probe", body=body))
        monkeypatch.delitem(sys.modules, "probe_command", raising=False)
        monkeypatch.setitem(main.ENTRIES, "probe", main.Entry("probe_command", "Probe it."))
        with pytest.raises(SystemExit) as end:
            main.run(arguments)
        return int(end.value.code or 0)

    return runs


def test_a_command_that_is_done_exits_0(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("probe", body="typer.echo('done')") == 0
    assert capsys.readouterr().out == "done\n"


def test_a_refusal_is_one_line_on_stderr(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("probe", body="raise Refused('No such turn.\\n Try: parlour turn list')") == 1
    assert capsys.readouterr() == ("", "No such turn. Try: parlour turn list\n")


def test_an_argument_in_another_encoding_is_wrong_usage(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Once stored, no page could show it."""
    assert run("probe", "caf\udce9") == 2
    assert capsys.readouterr().err == "'caf\\udce9' is not UTF-8. Give it in that encoding.\n"


def test_settings_that_nothing_can_read_are_one_line(
    run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "parlour.toml").write_text("a=" + "[" * 50_000)

    assert run("probe", body="from parlour.settings import load; load()") == 1
    assert "nested far too deeply" in capsys.readouterr().err


def test_what_fails_while_it_is_explained_is_one_line_still(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parlour.settings.load", lambda: 1 / 0)

    assert run("probe", body="from parlour import settings; settings.load()") == 1
    assert capsys.readouterr().err.startswith("Unexpected ZeroDivisionError")


def test_a_wrong_setting_is_one_line_on_stderr(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLOUR_WEB__PORT", "many")

    assert run("probe", body="from parlour.settings import load; load()") == 1
    error = capsys.readouterr().err
    assert error.startswith("PARLOUR_WEB__PORT: ")
    assert error.count("\n") == 1


def test_an_unforeseen_error_is_one_line_without_what_it_quotes(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("probe", body="raise ValueError('what a person wrote')") == 1
    error = capsys.readouterr().err
    assert error.startswith("Unexpected ValueError at ")
    assert "what a person wrote" not in error
    assert error.count("\n") == 1


def test_debug_output_has_the_traceback(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLOUR_LOG__LEVEL", "debug")

    assert run("probe", body="raise ValueError('here')") == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("nothing-like-it",), ("probe", "--nothing"), ("--nothing",)])
def test_wrong_usage_exits_2(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments) == 2


def test_ctrl_c_exits_130_without_a_word_of_python(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("probe", body="raise KeyboardInterrupt") == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_reader_that_went_away_is_no_error(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("probe", body="raise BrokenPipeError(32, 'pipe')") == 1
    assert run("probe", body="raise ExceptionGroup('tasks', [BrokenPipeError(32, 'pipe')])") == 1
    assert capsys.readouterr().err == ""


def test_a_reader_that_went_away_hides_no_other_error(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("probe", body="raise ExceptionGroup('tasks', [BrokenPipeError(32, 'pipe'), ValueError()])") == 1
    assert capsys.readouterr().err.startswith("Unexpected ExceptionGroup")


def test_a_commands_own_exit_code_is_kept(run: Run) -> None:
    assert run("probe", body="raise typer.Exit(1)") == 1


def test_the_version_is_shown(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"parlour {__version__}\n"


def test_a_command_that_is_not_installed_is_not_listed(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(main.ENTRIES, "ghost", main.Entry("parlour.cli.ghost", "Not there."))

    assert run("--help") == 0
    shown = capsys.readouterr().out
    assert "Probe it." in shown
    assert "ghost" not in shown
    assert run("ghost") == 2


def test_an_error_without_a_message_tells_its_class() -> None:
    assert one_line(Refused()) == "Refused"
