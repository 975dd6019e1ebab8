"""Statements that run for every turn: compiled once, then handed straight to the driver.

SQLAlchemy takes ten to thirty times as long to execute a small statement as SQLite itself does; this way it is two or
three times. The SQL, the types and the errors are SQLAlchemy's, and the statement runs in the session's transaction.
What runs once in a while goes through the session as ever.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler

from parlour.store.together import Posted, post, send

Made = TypeVar("Made")
# One that differs from database to database is given by the dialect's name.
Statement = Executable | Callable[[str], Executable]
_Process = Callable[[Any], Any] | None


class _Compiled:
    """A statement in the words of one database."""

    def __init__(self, statement: Any, dialect: Dialect, columns: str) -> None:  # noqa: ANN401 (any kind)
        compiled = statement.compile(dialect=dialect, column_keys=columns.split() or None)
        if not isinstance(compiled, SQLCompiler) or compiled.prefetch or compiled.post_compile_params:
            raise TypeError("A prepared statement has no default of Python's and no list of changing length in it.")
        self.sql: Final = compiled.string
        self._is_positional: Final = compiled.positional
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        into = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in binds.items()}
        constants = {
            name: process(bind.effective_value) if (process := into[name]) else bind.effective_value
            for name, bind in binds.items()
            if not bind.required
        }
        # A parameter: its name, how its value is made the driver's, and its value where it has one already.
        self._slots: Final = [
            (name, into[name], name in constants, constants.get(name))
            for name in (compiled.positiontup or binds if compiled.positional else binds)
        ]
        self._names: Final = [name for name, *_ in self._slots]
        out_of = [one.type.dialect_impl(dialect).result_processor(dialect, None) for one in statement.exported_columns]
        self._processed: Final = [(place, process) for place, process in enumerate(out_of) if process is not None]

    def parameters(self, values: dict[str, Any]) -> Any:  # noqa: ANN401 (as the driver takes them)
        """The values as the driver takes them."""
        made = [
            constant if is_constant else (values[name] if process is None else process(values[name]))
            for name, process, is_constant, constant in self._slots
        ]
        return made if self._is_positional else dict(zip(self._names, made, strict=True))

    def columns(self, row: Any) -> Any:  # noqa: ANN401 (a row of any columns)
        """The driver's row with values of SQLAlchemy's types."""
        if not self._processed:
            return row
        columns = list(row)
        for place, process in self._processed:
            columns[place] = process(columns[place])
        return columns


class _Prepared:
    def __init__(self, statement: Statement, columns: str = "") -> None:
        self._statement = statement
        self._columns = columns
        self._compiled: dict[str, _Compiled] = {}

    def _in(self, dialect: Dialect) -> _Compiled:
        # Two threads may do it at once; both come to the same.
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            statement = self._statement
            chosen = statement if isinstance(statement, Executable) else statement(dialect.name)
            compiled = self._compiled[dialect.name] = _Compiled(chosen, dialect, self._columns)
        return compiled

    def _post(self, session: Session, values: dict[str, Any], *, tells_rows: bool) -> tuple[_Compiled, Posted]:
        """The statement, on its way. What the session has not written yet goes before."""
        session.flush()
        connection = session.connection()
        compiled = self._in(connection.dialect)
        posted = Posted(compiled.sql, compiled.parameters(values), tells_rows=tells_rows)
        post(connection, posted)
        return compiled, posted


class Asked(Generic[Made]):
    """What a query will tell: it is sent when a row is wanted, or with whatever its transaction does next."""

    def __init__(self, session: Session, compiled: _Compiled, posted: Posted, make: Callable[..., Made]) -> None:
        """For `Query.ask`."""
        self._session = session
        self._compiled = compiled
        self._posted = posted
        self._make = make

    def all(self) -> list[Made]:
        """Every row."""
        return [self._make(*self._compiled.columns(row)) for row in self._rows()]

    def first(self) -> Made | None:
        """The first row, None where there is none."""
        rows = self._rows()
        return self._make(*self._compiled.columns(rows[0])) if rows else None

    def one(self) -> Made:
        """The first row of a statement that has one for sure. Raises `LookupError` where it has none."""
        found = self.first()
        if found is None:
            raise LookupError("a statement that always tells a row told none")
        return found

    def _rows(self) -> Sequence[Any]:
        if not self._posted.is_done:
            send(self._session.connection())
        if not self._posted.is_done:
            raise RuntimeError("a query was rolled back before it was sent")
        return self._posted.rows


class Query(_Prepared, Generic[Made]):
    """A statement that tells rows: a select, or a change with `returning`. `make` is called with a row's columns."""

    def __init__(self, statement: Statement, make: Callable[..., Made]) -> None:
        super().__init__(statement)
        self._make = make

    def ask(self, session: Session, **values: object) -> Asked[Made]:
        """Ask without waiting for the answer. `values` are those of the statement's parameters.

        To PostgreSQL it goes in one round trip with what is asked or put off before and behind it. What it told can be
        read after the transaction has ended, too.
        """
        return Asked(session, *self._post(session, values, tells_rows=True), self._make)

    def all(self, session: Session, **values: object) -> list[Made]:
        """Every row."""
        return self.ask(session, **values).all()

    def first(self, session: Session, **values: object) -> Made | None:
        """The first row, None where there is none."""
        return self.ask(session, **values).first()

    def one(self, session: Session, **values: object) -> Made:
        """The first row of a statement that has one for sure. Raises `LookupError` where it has none."""
        return self.ask(session, **values).one()


class Change(_Prepared):
    """A statement that tells no rows. An insert is told the names of its `columns`, with blanks between them."""

    def run(self, session: Session, **values: object) -> int:
        """Carry it out; how many rows it changed."""
        _, posted = self._post(session, values, tells_rows=False)
        send(session.connection())
        return posted.count

    def put_off(self, session: Session, **values: object) -> None:
        """Have it carried out with what comes next in the transaction, its end at the latest; there its errors come."""
        self._post(session, values, tells_rows=False)


def only(value: Any) -> Any:  # noqa: ANN401 (a column's)
    """For a query of one column: its value."""
    return value
