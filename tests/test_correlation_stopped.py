"""Correlation and detection that are interrupted, killed, or find no room leave a case that the next run completes."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from evtxhunt.case_file import is_locked
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.query import correlate, load_query_set
from samples.bulk import write_weeks
from tests.logs import rows

# What detect writes, but for the manifest, which holds wall-clock times.
LEFT_OUT = ("run", "correlation_state")


def contents(case: Path) -> dict[str, object]:
    with duckdb.connect(case, read_only=True) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()
        return {
            name: connection.execute(f'SELECT count(*), bit_xor(hash(t)) FROM "{name}" AS t').fetchall()
            for (name,) in tables
            if name not in LEFT_OUT
        }


def wait_for_writer(case: Path) -> None:
    deadline = time.monotonic() + 60
    while not is_locked(case):
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weeks")
    write_weeks(folder / "logs", 6, size=60 * 10**6)
    ingest([folder / "logs"], folder / "case.duckdb")
    return folder / "case.duckdb"


@pytest.fixture(scope="module")
def undisturbed(ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    case = tmp_path_factory.mktemp("whole") / "case.duckdb"
    case.write_bytes(ingested.read_bytes())
    assert (
        subprocess.run([sys.executable, "-m", "evtxhunt", "detect", "--case", str(case)], check=False).returncode == 0
    )
    return contents(case)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_detect_leaves_a_case_that_the_next_completes(
    number: signal.Signals, seconds: float, ingested: Path, undisturbed: dict[str, object], tmp_path: Path
) -> None:
    case = tmp_path / "case.duckdb"
    case.write_bytes(ingested.read_bytes())
    command = [sys.executable, "-m", "evtxhunt", "detect", "--case", str(case)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_writer(case)
    time.sleep(seconds)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    if number == signal.SIGINT and process.returncode != 0:
        assert process.returncode == 130, said
    events = rows(case, "SELECT count(*) FROM event")
    tables = rows(
        case, "SELECT count(*) FROM duckdb_tables() WHERE table_name IN ('hop', 'process', 'remoting_session')"
    )
    assert tables in ([(0,)], [(3,)])  # all or none
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert rows(case, "SELECT count(*) FROM event") == events
    assert contents(case) == undisturbed


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on file sizes")
def test_no_room_for_the_tables_is_an_error_and_leaves_the_case_as_it_was(ingested: Path, tmp_path: Path) -> None:
    import resource

    case = tmp_path / "case.duckdb"
    case.write_bytes(ingested.read_bytes())
    before = contents(case)

    def limit_file_size() -> None:
        # Less than DuckDB's log of what is about to be committed.
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, 2**16))

    command = [sys.executable, "-m", "evtxhunt", "sessions", "--case", str(case)]
    result = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit_file_size, check=False)
    assert result.returncode == 3, result.stderr
    assert result.stderr.startswith(f"error: {case}: cannot be written: "), result.stderr
    assert result.stderr.count("\n") == 1
    assert contents(case) == before
    correlate(case, load_query_set())
    assert rows(case, "SELECT count(*) > 0 FROM remoting_session") == [(True,)]
