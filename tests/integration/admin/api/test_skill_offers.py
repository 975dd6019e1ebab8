"""Skills over the API: looked at, installed as they were shown, another version tried out and put in its place."""

import shutil
from typing import Any

import pytest

from parlour.skills.authoring import check, new_skill
from tests.integration.admin.api.conftest import Api
from tests.support.wheels import wheel

FILE = "parlour_notes-0.1.0-py3-none-any.whl"
NEWER = "parlour_notes-0.2.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def rival(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Another skill with a command of the same name."""
    folder = tmp_path_factory.mktemp("rival")
    new_skill(folder, "ants")
    source = folder / "ants" / "src" / "parlour_ants" / "__init__.py"
    source.write_text(source.read_text().replace('skill.command("ants"', 'skill.command("notes"'))
    assert check(folder / "ants", is_freezing=True).problems == ()
    return wheel(folder / "ants", skill="ants")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("made")
    new_skill(folder, "notes")
    project = folder / "notes"
    made = {FILE: wheel(project)}
    for path in [
        project / "pyproject.toml",
        *project.rglob("*.py"),
        *project.rglob("*.json"),
        *project.rglob("*.toml"),
    ]:
        path.write_text(path.read_text().replace("0.1.0", "0.2.0"))
    made[NEWER] = wheel(project, version="0.2.0")
    shutil.rmtree(folder)
    return made


def _upload(api: Api, name: str, content: bytes) -> str:
    headers = {"Content-Type": "application/octet-stream", "Authorization": f"Bearer {api.token}"}
    answer = api.client.post("/v1/skills/uploads", params={"name": name}, content=content, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["source"])


def _agreed(offer: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"source": offer["source"], "digest": offer["digest"], "grants": offer["asks"], **changes}


def test_what_was_shown_is_installed_and_upgraded_and_nothing_else(
    api: Api, other: Api, wheels: dict[str, bytes]
) -> None:
    source = _upload(api, FILE, wheels[FILE])
    offer = api.post("/v1/skills/offers", {"source": source}).json()
    assert (offer["name"], offer["version"], offer["replaces"]) == ("notes", "0.1.0", None)
    # Another workspace's upload is no source, a changed digest no agreement, a grant left out none either.
    assert other.post("/v1/skills/offers", {"source": source}).status_code == 422
    assert api.post("/v1/skills", _agreed(offer, digest="0" * 64)).status_code == 409
    assert api.post("/v1/skills", _agreed(offer, grants=[])).status_code == 409
    assert api.get("/v1/skills").json()["items"] == []

    assert api.post("/v1/skills", _agreed(offer)).status_code == 201
    newer = api.post("/v1/skills/notes/upgrades/offers", {"source": _upload(api, NEWER, wheels[NEWER])}).json()
    assert "version" in newer, newer
    assert (newer["version"], newer["replaces"], newer["asks"]) == ("0.2.0", "0.1.0", [])
    assert api.get("/v1/skills/notes").json()["version"] == "0.1.0"
    assert api.post("/v1/skills/notes/upgrades", _agreed(newer)).status_code == 200

    assert api.get("/v1/skills/notes").json()["version"] == "0.2.0"
    assert other.get("/v1/skills").json()["items"] == []


def test_a_command_that_another_skill_has_is_told_with_the_offer(
    api: Api, wheels: dict[str, bytes], rival: bytes
) -> None:
    offer = api.post("/v1/skills/offers", {"source": _upload(api, FILE, wheels[FILE])}).json()
    assert offer["clashes"] == []
    assert api.post("/v1/skills", _agreed(offer)).status_code == 201

    offer = api.post("/v1/skills/offers", {"source": _upload(api, "parlour_ants-0.1.0-py3-none-any.whl", rival)}).json()

    assert offer["clashes"] == ["/notes is a command of notes too; where both are enabled, ants has it"]


@pytest.mark.parametrize(
    "source", ["/etc/passwd", "file:///tmp/x", "git+ssh://git@example.com/x", "upload:" + "0" * 32, "../x", "x"]
)
def test_what_is_no_source_is_refused(api: Api, source: str) -> None:
    answer = api.post("/v1/skills/offers", {"source": source})

    assert answer.status_code == 422


@pytest.mark.parametrize("name", ["x.exe", "../x.whl", "x.whl/..", ""])
def test_a_file_of_another_kind_is_refused(api: Api, name: str) -> None:
    headers = {"Content-Type": "application/octet-stream", "Authorization": f"Bearer {api.token}"}
    answer = api.client.post("/v1/skills/uploads", params={"name": name}, content=b"x", headers=headers)

    assert answer.status_code == 422


def test_what_is_no_package_is_refused(api: Api) -> None:
    source = _upload(api, FILE, b"no zip")

    assert api.post("/v1/skills/offers", {"source": source}).status_code == 422
