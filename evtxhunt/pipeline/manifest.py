"""What every run is recorded with, and the limits that all commands share."""

import platform
from importlib.metadata import version

# Enough for DuckDB's sorts and joins on millions of events; beyond it DuckDB spills to disk beside the case.
DEFAULT_MEMORY_LIMIT = "1GB"
# An ingest streams: more memory makes it no faster (measured from 400 MB to 1 GB).
INGEST_MEMORY_LIMIT = "512MB"


def versions() -> dict[str, str]:
    """Of everything that shapes a result."""
    names = ("evtxhunt", "evtx", "duckdb", "pyarrow")
    return {name: version(name) for name in names} | {"python": platform.python_version()}
