"""`Files`: what lies in a granted folder, and nothing that a name, a link or a rename leads to."""

import os
from pathlib import Path

import pytest

from parlour.sdk.errors import CapabilityError, Invalid, NotAvailable, NotGranted, TooMuch
from parlour.skills import files as module
from parlour.skills.desk import Grants, HostDesk, Services, Whose
from parlour.skills.files import LARGEST_BYTES, MOST_FILES, SkillFiles
from parlour.store.ids import SkillId, WorkspaceId, new_id

GRANTED = ("news",)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two files, and beside it what must not be read."""
    place = tmp_path / "news"
    (place / "below").mkdir(parents=True)
    (place / "below" / "deep.txt").write_text("MARKER")
    (tmp_path / "secret.txt").write_text("MARKER")
    for number, name in enumerate(("b.txt", "a.txt")):
        (place / name).write_text(name)
        os.utime(place / name, (number, number))
    return place


@pytest.fixture
def files(folder: Path) -> SkillFiles:
    return SkillFiles({"news": folder}, private=[folder.parent / "data"])


def test_files_are_listed_by_when_they_changed_and_read_by_name(files: SkillFiles) -> None:
    assert files.list(GRANTED, "news") == [["b.txt", 5, 0.0], ["a.txt", 5, 1.0]]
    assert files.read(GRANTED, "news", "a.txt") == b"a.txt"


@pytest.mark.parametrize(
    "name",
    [
        "../secret.txt",
        "below/deep.txt",
        "/etc/passwd",
        "..",
        ".",
        "",
        ".hidden",
        "a.txt\0",
        "link",
        "linked-folder",
        "hard",
        "pipe",
        "below",
        "gone.txt",
        "x" * 300,
    ],
)
def test_no_name_leads_out_of_the_folder(files: SkillFiles, folder: Path, name: str) -> None:
    secret = folder.parent / "secret.txt"
    (folder / "link").symlink_to(secret)
    (folder / "linked-folder").symlink_to(folder.parent)
    (folder / "hard").hardlink_to(secret)
    (folder / ".hidden").write_text("MARKER")
    os.mkfifo(folder / "pipe")

    assert [one[0] for one in files.list(GRANTED, "news")] == ["b.txt", "a.txt"]
    with pytest.raises(Invalid, match="no such file"):
        files.read(GRANTED, "news", name)


def test_a_link_put_in_a_files_place_while_it_is_read_is_not_followed(
    files: SkillFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking and opening there is no moment: what is opened is looked at."""
    real = os.open

    def swapped(path: str, flags: int, **more: int) -> int:
        if path == "a.txt":
            (folder / "a.txt").unlink()
            (folder / "a.txt").symlink_to(folder.parent / "secret.txt")
        return real(path, flags, **more)

    monkeypatch.setattr(os, "open", swapped)

    with pytest.raises(Invalid):
        files.read(GRANTED, "news", "a.txt")


@pytest.mark.parametrize(
    ("granted", "name", "error"),
    [((), "news", NotGranted), (("other",), "news", NotGranted), (("other",), "other", NotAvailable)],
)
def test_a_folder_is_granted_by_a_setting_and_named_by_the_machines_operator(
    files: SkillFiles, granted: tuple[str, ...], name: str, error: type[CapabilityError]
) -> None:
    with pytest.raises(error):
        files.list(granted, name)
    with pytest.raises(error):
        files.read(granted, name, "a.txt")


@pytest.mark.parametrize("private", ["news/below", "news", ""])
def test_the_platforms_own_data_is_no_folder_for_skills(folder: Path, private: str) -> None:
    """Nor one around it, nor one in it."""
    own = SkillFiles({"news": folder}, private=[folder.parent / private])

    with pytest.raises(NotAvailable, match="platform's own data"):
        own.read(GRANTED, "news", "a.txt")


def test_a_link_to_the_platforms_own_data_is_no_way_around_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "keys").write_text("MARKER")
    (tmp_path / "news").symlink_to(tmp_path / "data")

    with pytest.raises(NotAvailable):
        SkillFiles({"news": tmp_path / "news"}, private=[tmp_path / "data"]).read(GRANTED, "news", "keys")


def test_a_folder_that_went_away_is_told(files: SkillFiles, folder: Path) -> None:
    folder.rename(folder.with_name("moved"))

    with pytest.raises(NotAvailable, match="cannot be read"):
        files.list(GRANTED, "news")


def test_there_is_an_end_to_a_file_and_to_a_list(
    files: SkillFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (folder / "large").open("wb") as opened:
        opened.truncate(LARGEST_BYTES + 1)
    with pytest.raises(TooMuch):
        files.read(GRANTED, "news", "large")

    monkeypatch.setattr(module, "MOST_FILES", 1)
    assert MOST_FILES > 1
    assert [one[0] for one in files.list(GRANTED, "news")] == ["large"]


def test_the_desk_takes_the_folders_from_the_grants_and_no_path(files: SkillFiles) -> None:
    whose = Whose(SkillId(new_id()), WorkspaceId(new_id()), None)
    desk = HostDesk(whose, Grants(frozenset({"Files"})).reaching((), GRANTED), Services(files=files))

    assert desk.call("Files", "read", {"folder": "news", "name": "a.txt"}) == b"a.txt"
    with pytest.raises(Invalid, match="unknown"):
        desk.call("Files", "read", {"folder": "news", "name": "a.txt", "granted": ["other"]})
    with pytest.raises(NotGranted):
        desk.call("Files", "list", {"folder": "/etc"})
