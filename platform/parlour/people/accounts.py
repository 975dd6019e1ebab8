"""The bots of a workspace: registering them, and what they keep between runs. Makes the first workspace."""

from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from parlour.people.errors import WorkspaceRemoved, WorkspaceUnknown
from parlour.privacy.retention import first_rules
from parlour.privacy.service import Privacy
from parlour.store.clock import Clock
from parlour.store.database import Database
from parlour.store.ids import AccountId, WorkspaceId, new_id
from parlour.store.models import Account, Workspace

_NAME_CHARS = 200
_KEEP_MESSAGES = timedelta(days=90)


class AccountBook:
    """Where channels register the bots they speak for. All belong to the workspace named `workspace`."""

    def __init__(
        self,
        *,
        database: Database,
        privacy: Privacy,
        clock: Clock,
        workspace: str,
        keep_messages: timedelta = _KEEP_MESSAGES,
    ) -> None:
        self._keep_messages = keep_messages
        self._database = database
        self._privacy = privacy
        self._clock = clock
        self._workspace = workspace

    def ensure_workspace(self) -> WorkspaceId:
        """The workspace's id. Raises `WorkspaceRemoved`.

        Made on first call, its data key before it, its first retention rules with it.
        """
        found = self._find_workspace()
        if found is not None:
            return found
        workspace_id = WorkspaceId(new_id())
        self._privacy.keyring.create(workspace_id)
        row = Workspace(id=workspace_id, name=self._workspace, created_at=self._clock.now())
        try:
            with self._database.begin() as session:
                session.add(row)
                session.flush()
                first_rules(session, workspace_id, self._keep_messages, now=row.created_at)
        except IntegrityError:
            # Another process made it in the meantime.
            self._privacy.keyring.discard(workspace_id)
            return self.ensure_workspace()
        return workspace_id

    def register(self, channel: str, external_id: str, name: str, *, credentials: str | None = None) -> AccountId:
        """The id of this bot's account, made on first sight; a rejected one is active again.

        `credentials` replace those stored; None leaves them. Raises `WorkspaceRemoved`.
        """
        workspace_id = self.ensure_workspace()
        lookup_hash = self._privacy.lookup.hash("account", channel, external_id)
        try:
            with self._database.begin() as session:
                account = _find_account(session, channel, lookup_hash)
                if account is None:
                    account = Account(
                        id=new_id(),
                        workspace_id=workspace_id,
                        channel=channel,
                        lookup_hash=lookup_hash,
                        created_at=self._clock.now(),
                    )
                    session.add(account)
                self._update(account, name, credentials)
        except IntegrityError:
            # Another process registered it in the meantime.
            return self.register(channel, external_id, name, credentials=credentials)
        return AccountId(account.id)

    def credentials(self, account_id: AccountId) -> str | None:
        """What was stored sealed with the account, None for an unknown account too."""
        with self._database.read() as session:
            account = session.get(Account, account_id)
        if account is None or account.credentials is None:
            return None
        workspace_id = WorkspaceId(account.workspace_id)
        return self._privacy.sealer.open_text(workspace_id, Account.credentials, account.id, account.credentials)

    def list(self, channel: str) -> list[tuple[AccountId, str]]:
        """Active accounts of a channel with their names, oldest first."""
        wanted = (
            select(Account.id, Account.name)
            .join(Workspace, Workspace.id == Account.workspace_id)
            .where(Account.channel == channel, Account.state == "active", Workspace.removed_at.is_(None))
            .order_by(Account.id)
        )
        with self._database.read() as session:
            return [(AccountId(account_id), name) for account_id, name in session.execute(wanted)]

    def cursor(self, account_id: AccountId) -> int | None:
        """How far a polling channel has confirmed, None at first."""
        with self._database.read() as session:
            return session.scalar(select(Account.cursor).where(Account.id == account_id))

    def move_cursor(self, account_id: AccountId, cursor: int) -> None:
        """Remember how far a polling channel has confirmed."""
        self._set(account_id, cursor=cursor)

    def reject(self, account_id: AccountId) -> None:
        """Note that the messenger no longer accepts the account's token."""
        self._set(account_id, state="rejected")

    def _find_workspace(self) -> WorkspaceId | None:
        with self._database.read() as session:
            row = session.scalar(select(Workspace).where(Workspace.name == self._workspace))
        if row is not None and row.removed_at is not None:
            problem = f"The workspace {self._workspace!r} was removed."
            raise WorkspaceRemoved(f"{problem} Set PARLOUR_WORKSPACE to another name.")
        return None if row is None else WorkspaceId(row.id)

    def _update(self, account: Account, name: str, credentials: str | None) -> None:
        account.name = name[:_NAME_CHARS]
        account.state = "active"
        if credentials is not None:
            workspace_id = WorkspaceId(account.workspace_id)
            account.credentials = self._privacy.sealer.seal(workspace_id, Account.credentials, account.id, credentials)

    def _set(self, account_id: AccountId, **values: int | str) -> None:
        with self._database.begin() as session:
            session.execute(update(Account).where(Account.id == account_id).values(**values))


def _find_account(session: Session, channel: str, lookup_hash: bytes) -> Account | None:
    return session.scalar(select(Account).where(Account.channel == channel, Account.lookup_hash == lookup_hash))


def find_workspace(database: Database, name: str) -> WorkspaceId:
    """The workspace of that name. Raises `WorkspaceUnknown`."""
    with database.read() as session:
        found = session.scalars(
            select(Workspace.id).where(Workspace.name == name, Workspace.removed_at.is_(None))
        ).one_or_none()
    if found is None:
        raise WorkspaceUnknown(f"No workspace named {name!r}. The first start makes that of the settings: parlour up")
    return WorkspaceId(found)
