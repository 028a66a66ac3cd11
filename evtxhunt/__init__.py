"""Windows event logs to answers: EVTX into DuckDB, correlated, shown as timelines."""

from importlib.metadata import version

__version__ = version("evtxhunt")


def __getattr__(name: str) -> object:
    # The Python API stands on the pipeline, which the stages below must not load through this package.
    if name == "Case":
        from evtxhunt.pipeline.correlated import Case

        return Case
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
