"""What can go wrong in a database, told once for SQLite and PostgreSQL; the message names the remedy."""


class StoreError(Exception):
    """A database could not do what was asked. What was asked is not committed."""


class DatabaseUnavailable(StoreError):
    """The database cannot be reached, or has no connection left."""


class DatabaseReadOnly(StoreError):
    """The database takes no writes."""


class DatabaseFull(StoreError):
    """The database has no room left."""


class DatabaseLocked(StoreError):
    """Another transaction held what this one needed for too long. Trying again is safe."""


class DatabaseDamaged(StoreError):
    """The file is no database, or its pages are damaged."""


class SchemaTooNew(StoreError):
    """A newer Parlour has migrated the database; this one does not know its tables."""


class SchemaTooOld(StoreError):
    """The database is not migrated to what this Parlour expects."""


class RevisionUnknown(StoreError):
    """There is no such revision to migrate to."""


class BackupRefused(StoreError):
    """A backup cannot be made, read or restored as asked. Nothing was changed."""


class BackupFailed(StoreError):
    """Making or restoring a backup broke off. What was half made is taken away again."""
