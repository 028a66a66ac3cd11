"""Opens case databases, and says plainly why one cannot be opened."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import duckdb

from evtxhunt.errors import CaseError, QueryTimeoutError

SCHEMA_VERSION = 3

# Records from slack and carved ones are of no known completeness: they count only where that is asked for.
# Not `IN ('live', 'rescued')`: DuckDB takes it for a rare choice and puts the larger side of a join into memory.
COUNTED = "origin NOT IN ('carved', 'slack')"
RECOVERED = "origin IN ('carved', 'slack')"


def connect_case(path: Path, memory_limit: str, *, write: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection on which SQL cannot reach files, the network or settings, nor, unless `write`, change the case.

    Temporary views and macros can be made on it. Raises CaseError if the case is missing, foreign, locked or newer.
    """
    if not path.exists():
        raise CaseError(f"{path}: no such case; make it with: evtxhunt ingest EVIDENCE --case {path}")
    connection = attach_case(path, memory_limit) if write else _connect(path, config={"memory_limit": memory_limit})
    try:
        check_schema(connection, path)
    except CaseError:
        connection.close()
        raise
    return _locked(connection)


def connect_scratch(path: Path, memory_limit: str) -> duckdb.DuckDBPyConnection:
    """A connection that reads the case and can make tables in the database `memory`, which all its cursors see.

    Neither reaches files, the network or settings. Raises CaseError as `connect_case` does.
    """
    if not path.exists():
        raise CaseError(f"{path}: no such case; make it with: evtxhunt ingest EVIDENCE --case {path}")
    connection = _attach(path, memory_limit, "READ_ONLY")
    try:
        check_schema(connection, path)
    except CaseError:
        connection.close()
        raise
    connection.execute("SET search_path = 'memory.main,evtxhunt_case.main'")
    return _locked(connection)


def _locked(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def check_schema(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Raises CaseError unless the database is a case of the schema version that this evtxhunt knows."""
    try:
        row = connection.execute("SELECT schema_version, created_by FROM case_info").fetchone()
    except duckdb.CatalogException as error:
        raise CaseError(f"{path}: a DuckDB database but no evtxhunt case; give --case another path") from error
    except duckdb.Error as error:
        raise damaged_case(path, error) from error
    if row is None or row[0] != SCHEMA_VERSION:
        found, made_by = row if row else ("none", "unknown")
        raise CaseError(
            f"{path}: the case has schema version {found} (evtxhunt {made_by}), this evtxhunt knows"
            f" {SCHEMA_VERSION}; use that version or ingest into a new case"
        )


# Rows that a thread gathers before it compresses and writes them; DuckDB's default is 122,880. Fewer keep both threads
# of a small machine busy to the end of a load and halve the memory that huge records take (measured: 14,000-character
# script blocks, 970 MB resident with the default, 490 MB with this), at 4 % more database and equal query times.
_ROW_GROUP_SIZE = 8192


# DuckDB draws one on stdout after two seconds, in the middle of results.
_NO_PROGRESS_BAR = "SET enable_progress_bar = false"


def attach_case(path: Path, memory_limit: str) -> duckdb.DuckDBPyConnection:
    """A connection for writing whose default database is the case, made if it does not exist.

    By ATTACH, which alone takes a row group size: another size than that of the ingest would make DuckDB write all
    events anew at the next checkpoint, twice as large (measured). Raises CaseError.
    """
    return _attach(path, memory_limit, f"ROW_GROUP_SIZE {_ROW_GROUP_SIZE}")


def _attach(path: Path, memory_limit: str, options: str) -> duckdb.DuckDBPyConnection:
    with _case_errors(path):
        connection = duckdb.connect(config={"memory_limit": memory_limit, "temp_directory": f"{path}.tmp"})
        quoted = str(path).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS evtxhunt_case ({options})")
        connection.execute("USE evtxhunt_case")
        connection.execute(_NO_PROGRESS_BAR)
        return connection


def _connect(path: Path, *, config: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    with _case_errors(path):
        connection = duckdb.connect(str(path), read_only=True, config=config)
        connection.execute(_NO_PROGRESS_BAR)
        return connection


@contextmanager
def _case_errors(path: Path) -> Iterator[None]:
    """Turns what can go wrong when a case is opened into a CaseError with the cause."""
    if path.exists():
        _check_magic(path)
    try:
        yield
    except duckdb.IOException as error:
        if path.exists() and is_locked(path):
            raise CaseError(f"{path}: another process works on this case; wait for it or use another --case") from error
        raise CaseError(f"{path}: the case cannot be opened: {first_line(error)}") from error
    except duckdb.InvalidInputException as error:  # a memory limit that DuckDB cannot read
        raise CaseError(f"{path}: the case cannot be opened: {first_line(error)}") from error
    except duckdb.Error as error:
        raise damaged_case(path, error) from error


def holds_recovered(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the case has events from slack or carved ones. Cheap: DuckDB knows each row group's span of values."""
    return bool(connection.execute(f"SELECT 1 FROM event WHERE {RECOVERED} LIMIT 1").fetchall())


def damaged_case(path: Path, error: duckdb.Error) -> CaseError:
    """What to raise where DuckDB meets blocks of the case whose own checksums do not fit, or worse."""
    return CaseError(f"{path}: the case is damaged: {first_line(error)}; ingest the evidence into a new case")


def _check_magic(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise CaseError(f"{path}: the case cannot be opened: {error.strerror}") from error
    # A DuckDB file carries DUCK after an 8-byte checksum: https://duckdb.org/docs/stable/internals/storage
    if head[8:12] != b"DUCK":
        raise CaseError(f"{path}: not an evtxhunt case (no DuckDB database); give --case another path")


def is_locked(path: Path) -> bool:
    """Whether a process has the case open for writing. False on Windows, where it cannot be asked."""
    if sys.platform == "win32":
        return False
    import fcntl

    # DuckDB holds a POSIX record lock; asking for a shared one tells, and closing gives it back.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def deadline(connection: duckdb.DuckDBPyConnection, seconds: float | None) -> Iterator[None]:
    """Interrupts what runs on the connection after so many seconds. Raises QueryTimeoutError then."""
    if seconds is None:
        yield
        return
    is_over = threading.Event()

    def stop() -> None:
        is_over.set()
        connection.interrupt()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        if not is_over.is_set():  # somebody pressed Ctrl-C
            raise
        raise QueryTimeoutError(f"stopped after {seconds:g} s; allow more with --timeout or ask for less") from error
    finally:
        timer.cancel()


@contextmanager
def interrupts_as_such() -> Iterator[None]:
    """Raises KeyboardInterrupt where DuckDB's binding makes a RuntimeError of a Ctrl-C during one of its calls."""
    try:
        yield
    except RuntimeError as error:
        # The binding has no type for it: this text is all that tells it from a real one.
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from error
        raise


# What DuckDB raises when the disk is full or gives out: at a write, at a commit, and at all that follows.
DISK_ERRORS = (duckdb.IOException, duckdb.TransactionException, duckdb.FatalException)


@contextmanager
def closing_case(
    connection: duckdb.DuckDBPyConnection, path: Path, action: Literal["read", "written"]
) -> Iterator[None]:
    """Closes the connection at the end. Raises CaseError if the disk gives out, KeyboardInterrupt for a Ctrl-C."""
    try:
        with interrupts_as_such():
            yield
    except (*DISK_ERRORS, duckdb.OutOfMemoryException) as error:
        raise CaseError(f"{path}: cannot be {action}: {first_line(error)}") from error
    finally:
        # A full disk fails once more here; what was committed is safe, and the first error is the one to tell.
        with suppress(duckdb.Error):
            connection.close()


def first_line(error: BaseException) -> str:
    """The first line of a DuckDB error, which says what; the rest quotes the SQL."""
    return str(error).strip().splitlines()[0]
