"""Windows event logs to answers: EVTX into DuckDB, correlated, shown as timelines."""

from importlib.metadata import version

__version__ = version("evtxhunt")
