"""An ingest that is interrupted, killed or run twice ends in the same case."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from benchmarks.corpus import make_corpus
from evtxhunt.chunk import CHUNK_SIZE, FILE_HEADER_SIZE
from evtxhunt.pipeline.ingest import ingest
from tests.logs import make_log, rows

INTERRUPTED = "interrupted; the case is valid and holds whole files only, run the same command again to go on\n"
# Everything that ingest writes but the manifest, which holds wall-clock times.
TABLES = ("event", "event_copy", "event_conflict", "record_span", "source_file", "parse_failure", "skipped_file")


def contents(case: Path) -> dict[str, object]:
    return {table: rows(case, f"SELECT count(*), bit_xor(hash(t)) FROM {table} AS t") for table in TABLES}


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evidence")
    logs, _ = make_corpus(folder, 120 * 2**20, log_size=24 * 2**20)
    # As shadow copies would: half of the first log in the middle, half of another at the end, so that copies and events
    # come in different loads.
    for log, name in ((logs[0], "log0002-older.evtx"), (logs[3], "older.evtx")):
        content = log.read_bytes()
        (folder / name).write_bytes(
            content[:FILE_HEADER_SIZE] + content[-len(content) // 2 // CHUNK_SIZE * CHUNK_SIZE :]
        )
    return folder


@pytest.fixture(scope="module")
def undisturbed(evidence: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    case = tmp_path_factory.mktemp("whole") / "case.duckdb"
    ingest([evidence], case)
    assert rows(case, "SELECT parse_path(path)[-1] FROM source_file WHERE duplicate = parsed ORDER BY ALL") == [
        ("log0002-older.evtx",),
        ("older.evtx",),
    ]
    return contents(case)


def start_ingest(evidence: Path, case: Path) -> subprocess.Popen[str]:
    # Small loads, so that some are committed when it is stopped.
    code = (
        "import evtxhunt.pipeline.ingest as i; i._LOAD_BYTES = 2**24; import sys;"
        f"sys.argv = ['evtxhunt', 'ingest', {str(evidence)!r}, '--case', {str(case)!r}];"
        "from evtxhunt.cli import main; main()"
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(case: Path, size: int) -> None:
    deadline = time.monotonic() + 60
    while (case.stat().st_size if case.exists() else 0) < size:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2 * 2**20, 5 * 2**20, 7 * 2**20])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_ingest_holds_whole_files_and_is_completed_by_the_next(
    number: signal.Signals, size: int, evidence: Path, undisturbed: dict[str, object], tmp_path: Path
) -> None:
    case = tmp_path / "case.duckdb"
    process = start_ingest(evidence, case)
    wait_for(case, size)
    time.sleep(0.2)  # into the load
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert process.returncode == 130, said
        assert said.endswith(INTERRUPTED)
    assert (
        rows(
            case,
            "SELECT path FROM source_file AS s WHERE parsed - duplicate <> (SELECT count(*) FROM event AS e"
            " WHERE e.source_file_id = s.source_file_id)",
        )
        == []
    )
    assert rows(
        case, "SELECT count(*) FROM event WHERE source_file_id NOT IN (FROM source_file SELECT source_file_id)"
    ) == [(0,)]
    ingest([evidence], case)
    assert contents(case) == undisturbed


def test_second_ingest_adds_only_what_is_new(tmp_path: Path) -> None:
    logs, case = tmp_path / "logs", tmp_path / "case.duckdb"
    logs.mkdir()
    (logs / "a.evtx").write_bytes(make_log(5))
    first = ingest([logs], case)
    before = contents(case)
    again = ingest([logs], case)
    assert (first.events, again.events, again.known) == (5, 0, (str(logs / "a.evtx"),))
    assert contents(case) == before
    (logs / "b.evtx").write_bytes(make_log(7, "WS02"))
    assert ingest([logs], case).events == 7
    assert rows(case, "SELECT count(*), max(event_key) FROM event") == [(12, 12)]


def test_case_killed_before_it_had_tables_is_taken_up(tmp_path: Path) -> None:
    (tmp_path / "a.evtx").write_bytes(make_log(5))
    duckdb.connect(tmp_path / "case.duckdb").close()
    assert ingest([tmp_path / "a.evtx"], tmp_path / "case.duckdb").events == 5


def test_same_content_under_another_path_is_a_copy(tmp_path: Path) -> None:
    logs, case = tmp_path / "logs", tmp_path / "case.duckdb"
    logs.mkdir()
    (logs / "a.evtx").write_bytes(make_log(5))
    (logs / "b.evtx").write_bytes(make_log(5))
    summary = ingest([logs], case)
    assert summary.copies == ((str(logs / "b.evtx"), str(logs / "a.evtx")),)
    (logs / "c.evtx").write_bytes(make_log(5))
    assert len(ingest([logs], case).copies) == 1
    assert rows(case, "SELECT count(*) FROM event") == [(5,)]
    assert rows(case, "SELECT source_file_id, status, copy_of FROM source_file ORDER BY 1") == [
        (1, "complete", None),
        (2, "copy", 1),
        (3, "copy", 1),
    ]
    assert rows(
        case, "SELECT source_file_id, list(event_key ORDER BY event_key) FROM event_copy GROUP BY 1 ORDER BY 1"
    ) == [
        (2, [1, 2, 3, 4, 5]),
        (3, [1, 2, 3, 4, 5]),
    ]


def test_changed_log_under_the_same_path_is_new_content(tmp_path: Path) -> None:
    log, case = tmp_path / "a.evtx", tmp_path / "case.duckdb"
    log.write_bytes(make_log(5))
    ingest([log], case)
    log.write_bytes(make_log(6))
    summary = ingest([log], case)
    assert (summary.events, summary.seen_before) == (1, ((str(log), 5, (str(log),)),))
    assert rows(case, "SELECT path, parsed FROM source_file ORDER BY source_file_id") == [(str(log), 5), (str(log), 6)]


@pytest.mark.slow
def test_second_ingest_at_once_gets_a_clear_error(evidence: Path, tmp_path: Path) -> None:
    case = tmp_path / "case.duckdb"
    process = start_ingest(evidence, case)
    wait_for(case, 1)
    second = start_ingest(evidence, case)
    _, said = second.communicate(timeout=60)
    assert (second.returncode, said) == (
        3,
        f"error: {case}: another process works on this case; wait for it or use another --case\n",
    )
    process.communicate(timeout=120)
    assert process.returncode == 0


def test_host_is_the_label_given_else_the_folder_else_the_computer(tmp_path: Path) -> None:
    for folder, computer in (("DC1", "dc1.corp.example"), ("case-17", "WS07.corp.example")):
        (tmp_path / "both" / folder).mkdir(parents=True)
        (tmp_path / "both" / folder / "Security.evtx").write_bytes(make_log(2, computer))
    hosts = "SELECT DISTINCT host FROM event ORDER BY 1"
    ingest([tmp_path / "both"], tmp_path / "1.duckdb")
    assert rows(tmp_path / "1.duckdb", hosts) == [("DC1",), ("case-17",)]
    ingest([tmp_path / "both" / "DC1"], tmp_path / "2.duckdb")
    assert rows(tmp_path / "2.duckdb", hosts) == [("dc1.corp.example",)]
    ingest([tmp_path / "both"], tmp_path / "3.duckdb", host="given")
    assert rows(tmp_path / "3.duckdb", hosts) == [("given",)]
