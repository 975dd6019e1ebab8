"""Opening privacy at start: key file, key store and content must belong together, or nothing starts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import MetaData, Table, exists, select
from sqlalchemy.orm import Session

from parlour.privacy.errors import KeyFileError, KeysMissing, KeyStoreError
from parlour.privacy.keys import FileKeys, KeyProvider, MasterKeys, create_key_file, read_key_file
from parlour.privacy.keystore import Keyring
from parlour.privacy.lookup import Lookup
from parlour.privacy.models import DataKeyRow, KeyBase, Tombstone
from parlour.privacy.receipts import Signer
from parlour.privacy.rotation import stored_secret
from parlour.privacy.sealing import Sealer
from parlour.store.connect import place_of
from parlour.store.database import Database
from parlour.store.ids import UserId, WorkspaceId
from parlour.store.models import Base, Workspace


@dataclass(frozen=True, slots=True)
class Privacy:
    """What the rest of the platform needs to keep things private."""

    sealer: Sealer
    lookup: Lookup
    keyring: Keyring
    key_store: Database
    provider: KeyProvider
    signer: Signer

    def close(self) -> None:
        """Let go of the key store's connections."""
        self.key_store.close()


def open_privacy(
    *,
    content: Database,
    keys_url: str,
    key_file: Path,
    pool_size: int = 4,
    may_create: bool = True,
    remote: Callable[[], KeyProvider] | None = None,
) -> Privacy:
    """Privacy over a key file and a key store that fit each other and `content`; both schemas must be current.

    The first start, with nothing in either database, makes the key file, unless `may_create` is false: whoever makes
    it owns it, so that is for the service itself. With `remote` there is no key file: a server holds the KEKs. Raises
    `KeyFileError`, `KeyStoreError` and `KeysUnavailable`.
    """
    if place_of(keys_url) == content.place:
        raise KeyStoreError("keys.url names the content database. Give the key store a database of its own.")
    key_store = Database(keys_url, pool_size=pool_size)
    try:
        provider: KeyProvider
        if remote is not None:
            provider = remote()
        else:
            provider = FileKeys(_master_keys(key_file, content, key_store, may_create=may_create), key_file)
        keyring = Keyring(key_store, provider)
        _check_keys(key_store, provider, keyring, key_file=key_file)
        _check_content(content, keyring)
        lookup_key = provider.lookup_key() or stored_secret(key_store, provider, "lookup")
    except BaseException:
        key_store.close()
        raise
    return Privacy(Sealer(keyring), Lookup(lookup_key), keyring, key_store, provider, Signer(lookup_key))


def _master_keys(path: Path, content: Database, key_store: Database, *, may_create: bool) -> MasterKeys:
    keys = read_key_file(path)
    if keys is not None:
        return keys
    if not (_is_empty(content, Base.metadata) and _is_empty(key_store, KeyBase.metadata)):
        # Another process may have made the file, and data, since the first look.
        keys = read_key_file(path)
        if keys is None:
            problem = f"No key file {path}, but the databases hold what it sealed."
            raise KeyFileError(f"{problem} Put it back from its backup, or point keys.file at it.")
        return keys
    if not may_create:
        raise KeyFileError(f"No key file {path} yet. The first start of Parlour makes it; run: parlour up")
    return create_key_file(path)


def _is_empty(database: Database, metadata: MetaData) -> bool:
    with database.read() as session:
        return not any(_has_rows(session, table) for table in metadata.sorted_tables)


def _has_rows(session: Session, table: Table) -> bool:
    return session.execute(select(1).select_from(table).limit(1)).first() is not None


def _check_keys(key_store: Database, provider: KeyProvider, keyring: Keyring, *, key_file: Path) -> None:
    """Refuse a key file that does not open this key store: one data key of every KEK must unwrap."""
    is_alive = DataKeyRow.wrapped.is_not(None) & ~exists().where(Tombstone.subject_id == DataKeyRow.subject_id)
    with key_store.read() as session:
        kek_ids = session.scalars(select(DataKeyRow.kek_id).where(is_alive).distinct()).all()
        one_of_each = [
            session.scalars(select(DataKeyRow.subject_id).where(is_alive, DataKeyRow.kek_id == kek_id).limit(1)).one()
            for kek_id in kek_ids
        ]
    if isinstance(provider, FileKeys) and not provider.kek_ids.issuperset(kek_ids):
        problem = f"The key file {key_file} is not the one that the key store {key_store.place} was made with."
        raise KeyFileError(f"{problem} Put back the right file, or point keys.url at its own key store.")
    for subject_id in one_of_each:
        keyring.data_key(UserId(subject_id))


def _check_content(content: Database, keyring: Keyring) -> None:
    """Refuse a key store that is not this content's: a workspace's data key is made before the workspace."""
    with content.read() as session:
        workspace_id = session.scalar(select(Workspace.id).limit(1))
    if workspace_id is None:
        return
    try:
        keyring.data_key(WorkspaceId(workspace_id))
    except KeysMissing:
        problem = f"The key store does not hold the keys of the database {content.place}."
        raise KeyStoreError(f"{problem} Point keys.url at the right one, or restore it from its backup.") from None
