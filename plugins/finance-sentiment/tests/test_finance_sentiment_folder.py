"""A folder of news files that is watched."""

from datetime import timedelta

from parlour.sdk.testing import FakeFiles, Rehearsal
from parlour_finance_sentiment import skill

FEED = b"<rss><channel><item><title>Nvidia wins order from Tesla</title></item></channel></rss>"


def _stage(files: dict[str, bytes]) -> Rehearsal:
    return Rehearsal(skill, files=FakeFiles({"news": files}), settings={"folder": "news"})


def _titles(stage: Rehearsal) -> list[str]:
    said = stage.command("finance", "why nvidia").text
    return [title for title in ("sued over chips", "wins order", "recalls") if title in said]


def test_what_is_new_or_changed_is_read_once() -> None:
    stage = _stage({"a.jsonl": b'{"title": "Nvidia sued over chips"}\n'})
    stage.tick("poll")
    assert _titles(stage) == ["sued over chips"]

    stage.files.folders["news"]["feed.xml"] = FEED
    stage.tick("poll")
    assert "1 items" in stage.command("finance", "sources").text

    stage.tick("poll")
    assert "0 items" in stage.command("finance", "sources").text

    stage.files.folders["news"]["a.jsonl"] += b'{"title": "Nvidia recalls graphics cards"}\n'
    stage.files.changed["news", "a.jsonl"] = stage.clock.now() + timedelta(minutes=1)
    stage.tick("poll")
    assert _titles(stage) == ["sued over chips", "wins order", "recalls"]


def test_a_broken_file_is_named_and_holds_up_no_other() -> None:
    stage = _stage({"a.txt": b"\xff\xfe\x00", "b.txt": b"Nvidia sued over chips", "c.html": b"<html></html>"})

    stage.tick("poll")

    assert _titles(stage) == ["sued over chips"]
    said = stage.command("finance", "sources").text
    assert "a.txt: The file is no text in UTF-8" in said
    assert "c.html: This is an HTML page" in said


def test_a_folder_that_is_not_there_is_told_and_feeds_go_on() -> None:
    stage = Rehearsal(skill, settings={"folder": "other"})

    stage.tick("poll")

    assert "There is no folder 'other'" in stage.command("finance", "sources").text


def test_a_folder_of_thousands_is_read_over_several_polls() -> None:
    many = {
        f"{number:04}.txt": f"Nvidia opens plant number {number} in town {number}".encode() for number in range(150)
    }
    stage = _stage(many)

    read = []
    for _ in range(3):
        stage.tick("poll")
        read.append(len(stage.shared.documents["state", "files"]["files"]))

    assert read == [100, 150, 150]
