"""A key that is shredded in one process is refused in every other one that had it in memory: real processes."""

import sys
from pathlib import Path

import pytest

from parlour.store.ids import UserId, new_id
from parlour.store.models import Message
from tests.processes import Process, until
from tests.support.storage import open_storage

# Opens one value over and over, as a worker that answers somebody does, and says when it is refused.
_WORKER = """
import sys, time
from contextlib import closing
from pathlib import Path
from uuid import UUID

from parlour.privacy.errors import KeyShredded
from parlour.privacy.service import open_privacy
from parlour.store.database import Database
from parlour.store.models import Message

content, keys_url, key_file, user, row, sealed = sys.argv[1:]
with (
    closing(Database(content)) as database,
    closing(open_privacy(content=database, keys_url=keys_url, key_file=Path(key_file))) as privacy,
):
    try:
        while True:
            privacy.sealer.open(UUID(user), Message.body, UUID(row), bytes.fromhex(sealed))
            print("open", flush=True)
            time.sleep(0.05)
    except KeyShredded:
        print("refused", flush=True)
"""


@pytest.mark.parametrize("keys", ["sqlite", "postgres"])
def test_another_process_refuses_what_it_could_open_a_moment_ago(
    request: pytest.FixtureRequest, tmp_path: Path, keys: str
) -> None:
    """Long before the key's life in memory is over, which is a minute."""
    keys_url = f"sqlite:///{tmp_path / 'keys' / 'keys.sqlite'}"
    if keys == "postgres":
        keys_url = request.getfixturevalue("postgres_url")
    content, key_file = f"sqlite:///{tmp_path / 'content.sqlite'}", tmp_path / "keys" / "master.key"
    with open_storage(content, keys_url, key_file) as storage:
        ann, row = UserId(new_id()), new_id()
        storage.privacy.keyring.create(ann)
        sealed = storage.privacy.sealer.seal(ann, Message.body, row, "what I said")
        arguments = [content, keys_url, str(key_file), str(ann), str(row), sealed.hex()]
        with Process([sys.executable, "-c", _WORKER, *arguments], {}, cwd=tmp_path, ready="open") as worker:
            until(lambda: worker.output.count("open") > 1, timeout_s=60, told=lambda: worker.output)

            storage.privacy.keyring.shred([ann])

            until(lambda: "refused" in worker.output, timeout_s=60, told=lambda: worker.output)
