"""What every run is recorded with, and the limits that all commands share."""

import platform
from importlib.metadata import version

# Enough for DuckDB's sorts and joins on millions of events; beyond it DuckDB spills to disk beside the case.
DEFAULT_MEMORY_LIMIT = "1GB"


def versions() -> dict[str, str]:
    """Of everything that shapes a result."""
    names = ("evtxhunt", "evtx", "duckdb", "pyarrow")
    return {name: version(name) for name in names} | {"python": platform.python_version()}
