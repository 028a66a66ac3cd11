"""Opens cases for writing and names what every run is recorded with."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from evtxhunt import __version__
from evtxhunt.store import CaseStore

# Enough for DuckDB's sorts and joins on millions of events; beyond it DuckDB spills to disk beside the case.
DEFAULT_MEMORY_LIMIT = "1GB"


def versions() -> dict[str, str]:
    """Of everything that shapes a result."""
    names = ("evtxhunt", "evtx", "duckdb", "pyarrow")
    return {name: version(name) for name in names} | {"python": platform.python_version()}


@contextmanager
def open_store(case: Path, memory_limit: str) -> Iterator[CaseStore]:
    """The case opened for writing, closed at the end whatever happens. Raises CaseError."""
    store = CaseStore(case, memory_limit, __version__)
    try:
        yield store
    finally:
        store.close()
