"""Cases to ask: of events written in a test, and of real logs, each ingested once a session."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pytest

from evtxhunt.detect import prepare_connection
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.query import QuerySet, correlate, load_query_set, open_case
from evtxhunt.store import CaseStore
from tests.queries.synthetic import replace_events


@pytest.fixture(scope="session")
def query_set() -> QuerySet:
    """The shipped queries."""
    return load_query_set(Path(__file__).parent.parent.parent / "queries")


SyntheticCase = Callable[[Sequence[Mapping[str, Any]]], duckdb.DuckDBPyConnection]


@pytest.fixture(scope="session")
def synthetic_case(query_set: QuerySet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyntheticCase]:
    """Gives a connection to a case of just these events; the next call replaces them."""
    store = CaseStore(tmp_path_factory.mktemp("synthetic") / "case.duckdb", "1GB", "test")
    prepare_connection(store.connection, query_set.macros_sql, query_set.of_kind("view"))

    def load(events: Sequence[Mapping[str, Any]]) -> duckdb.DuckDBPyConnection:
        replace_events(store, events)
        return store.connection

    yield load
    store.close()


class RealCase(Protocol):
    def __call__(self, name: str, is_correlated: bool = False) -> duckdb.DuckDBPyConnection: ...


@pytest.fixture(scope="session")
def real_case(shared_root: Path, query_set: QuerySet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCase]:
    """Gives a connection to a case of one real log or folder, named relative to the folder of corpora/ and sigma/."""
    folder = tmp_path_factory.mktemp("real")
    with ExitStack() as stack:

        @cache
        def connect(name: str, is_correlated: bool = False) -> duckdb.DuckDBPyConnection:
            path = shared_root / name
            assert path.exists(), f"{path}: no such log"
            case = folder / f"{len(list(folder.iterdir()))}.duckdb"
            ingest([path], case)
            if is_correlated:
                correlate(case, query_set)
            return stack.enter_context(open_case(case, query_set))

        yield connect
