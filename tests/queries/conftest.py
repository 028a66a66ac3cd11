"""Cases to ask: of events written in a test, and of real logs, each ingested once a session."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pytest

from evtxhunt.detect import prepare_connection
from evtxhunt.pipeline.ingest import SilentProgress, ingest
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


Remarks = dict[str, dict[str, dict[str, Any]]]
Look = Callable[..., Remarks]


@pytest.fixture
def look(tmp_path: Path, query_set: QuerySet) -> Look:
    """Ingests logs, by name, and gives the rows of log_integrity: name -> reason -> row."""

    def ask(*, progress: SilentProgress | None = None, **logs: bytes) -> Remarks:
        folder = tmp_path / "evidence"
        folder.mkdir()
        for name, content in logs.items():
            (folder / f"{name}.evtx").write_bytes(content)
        ingest([folder], tmp_path / "case.duckdb", progress=progress)
        found: Remarks = {name: {} for name in logs}
        with open_case(tmp_path / "case.duckdb", query_set) as connection:
            result = connection.execute("FROM log_integrity")
            columns = [column[0] for column in result.description or []]
            for row in result.fetchall():
                values_of = dict(zip(columns, row, strict=True))
                reasons = found[Path(values_of["path"]).stem]
                assert values_of["reason"] not in reasons, "one row a file and reason"
                reasons[values_of["reason"]] = values_of
        return found

    return ask
