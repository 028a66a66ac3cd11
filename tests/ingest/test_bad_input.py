"""Bad input at the command line: a clear line, the right exit status, everything else still ingested."""

import os
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from evtxhunt.case_file import SCHEMA_VERSION
from evtxhunt.cli import app
from samples import values
from samples.events import EventData
from samples.evtx_writer import build_log
from tests.conftest import REPOSITORY
from tests.logs import make_log, make_records, rows

runner = CliRunner()


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "good.evtx").write_bytes(make_log(5))
    return folder


def run_ingest(evidence: Path, *options: str) -> tuple[int, str, Path]:
    case = evidence.parent / "case.duckdb"
    result = runner.invoke(app, ["ingest", str(evidence), "--case", str(case), *options])
    return result.exit_code, result.stderr, case


def test_truncated_log_gives_its_whole_records_and_says_where_it_ends(evidence: Path) -> None:
    (evidence / "cut.evtx").write_bytes(make_log(100, "WS02")[: 4096 + 5000])
    status, said, case = run_ingest(evidence)
    assert status == 0
    assert "COULD NOT BE READ: " in said and "file ends 5000 bytes into this chunk" in said
    events, failed = rows(
        case,
        "SELECT parsed, failed FROM source_file WHERE path LIKE '%cut.evtx'",
    )[0]
    assert events == 10
    # The chunk header still counts all 100: each of the others has its own row, and so has the one that is cut.
    assert failed == 90
    assert rows(case, "SELECT count(*) FROM event") == [(15,)]
    # Of the record in which the file ends the parser makes something that looks whole: it is kept apart.
    ((record_id, state, event_key, remains),) = rows(
        case, "SELECT header_record_id, state, event_key, remains FROM recovered_record"
    )
    assert (record_id, state, event_key) == (11, "damaged", None)
    assert '"EventRecordID":11' in str(remains)


@pytest.mark.parametrize(
    ("cleared", "expected"),
    [
        pytest.param("file and chunk", (None, 0, 5), id="as Windows writes it"),
        pytest.param("chunk", (True, 1, 5), id="the file header says otherwise"),
        pytest.param("nothing", (True, 0, 5), id="with checksums"),
    ],
)
def test_a_log_without_checksums_is_told_from_one_whose_checksums_do_not_fit(
    evidence: Path, cleared: str, expected: tuple[object, ...]
) -> None:
    log = bytearray(make_log(5, "WS02"))
    if "file" in cleared:
        log[120:128] = b"\4" + bytes(7)
    if "chunk" in cleared:
        log[4096 + 120 : 4096 + 128] = b"\5" + bytes(7)
        log[4096 + 52 : 4096 + 56] = bytes(4)
    (evidence / "none.evtx").write_bytes(log)
    case = run_ingest(evidence)[2]
    columns = "is_header_crc_valid, chunk_crc_mismatches, parsed"
    assert rows(case, f"SELECT {columns} FROM source_file WHERE path LIKE '%none.evtx'") == [expected]


def test_strict_makes_damage_an_exit_status(evidence: Path) -> None:
    (evidence / "cut.evtx").write_bytes(make_log(100, "WS02")[: 4096 + 5000])
    assert run_ingest(evidence, "--strict")[0] == 4


def test_zero_length_and_text_files_are_named(evidence: Path) -> None:
    (evidence / "zero.evtx").touch()
    (evidence / "text.evtx").write_text("not a log at all")
    status, said, case = run_ingest(evidence)
    assert status == 0
    assert "1 not ingested, empty:" in said and "zero.evtx" in said
    assert "1 not ingested, not an event log, though named .evtx:" in said and "text.evtx" in said
    assert rows(case, "SELECT count(*) FROM event") == [(5,)]


def test_log_cut_inside_its_header_is_damaged(evidence: Path) -> None:
    (evidence / "head.evtx").write_bytes(make_log(1)[:600])
    status, said, case = run_ingest(evidence)
    assert status == 0 and "file ends inside its header, after 600 bytes" in said
    assert rows(case, "SELECT status, expected FROM source_file WHERE path LIKE '%head.evtx'") == [("damaged", 0)]


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        pytest.param(8, b"\xff" * 24, id="chunk and record numbers"),
        pytest.param(32, b"\xff" * 4, id="header size"),
        pytest.param(36, b"\xff" * 4, id="format version"),
        pytest.param(40, b"\xff" * 4, id="block size and chunk count"),
        pytest.param(40, b"\0" * 4, id="no chunks"),
        pytest.param(120, b"\xff" * 8, id="flags and checksum"),
    ],
)
def test_lying_file_header_hides_no_record(evidence: Path, offset: int, value: bytes) -> None:
    lying = bytearray(make_log(300, "WS02"))
    lying[offset : offset + len(value)] = value
    (evidence / "lying.evtx").write_bytes(lying)
    status, _, case = run_ingest(evidence)
    assert status == 0
    assert rows(case, "SELECT parsed, failed FROM source_file WHERE path LIKE '%lying.evtx'") == [(300, 0)]
    assert rows(case, "SELECT is_header_crc_valid FROM source_file WHERE path LIKE '%lying.evtx'") == [(False,)]


def test_bad_record_header_costs_its_record_and_the_rest_is_accounted_for(evidence: Path) -> None:
    damaged = bytearray(make_log(50, "WS02"))
    second = damaged.index(b"\x2a\x2a\0\0", 4096 + 512 + 4)
    damaged[second : second + 8] = b"\0" * 8
    (evidence / "damaged.evtx").write_bytes(damaged)
    _, said, case = run_ingest(evidence)
    assert "48 records rescued: left out by the fast parser, read by ours, in 1 file\n" in said
    assert "COULD NOT BE READ: 1 records in 1 damaged logs" in said
    assert rows(
        case, "SELECT expected, parsed, rescued, failed, slack FROM source_file WHERE path LIKE '%damaged.evtx'"
    ) == [(50, 1, 48, 1, 0)]
    assert rows(case, "SELECT header_record_id FROM parse_failure WHERE scope = 'record'") == [(2,)]
    # The same records as those of an undamaged log, wherever they were read.
    (evidence / "whole.evtx").write_bytes(make_log(50, "WS03"))
    _, _, case = run_ingest(evidence)
    columns = "event_record_id, event_time, provider, event_data, target_user_name, record_offset"
    damaged_rows = rows(case, f"SELECT {columns} FROM event WHERE computer LIKE 'WS02%' ORDER BY 1")
    assert damaged_rows == rows(
        case, f"SELECT {columns} FROM event WHERE computer LIKE 'WS03%' AND event_record_id <> 2 ORDER BY 1"
    )


def test_log_that_loses_too_many_records_to_list_counts_them(evidence: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evtxhunt.chunk_reader.MOST_LISTED", 10)
    (evidence / "cut.evtx").write_bytes(make_log(100, "WS02")[: 4096 + 5000])
    _, _, case = run_ingest(evidence)
    assert rows(case, "SELECT expected, parsed, failed FROM source_file WHERE path LIKE '%cut.evtx'") == [(100, 10, 90)]
    assert rows(case, "SELECT count(*) FROM parse_failure WHERE scope = 'record'") == [(10,)]
    assert rows(case, "SELECT reason FROM parse_failure WHERE scope = 'file'") == [
        ("80 more records failed than are listed one by one",)
    ]


def test_case_that_is_no_database(evidence: Path) -> None:
    (evidence.parent / "case.duckdb").write_text("This is no database, it is a text of some length.")
    status, said, case = run_ingest(evidence)
    assert status == 3
    assert said == f"error: {case}: not an evtxhunt case (no DuckDB database); give --case another path\n"


def test_case_that_is_another_database(evidence: Path) -> None:
    with duckdb.connect(evidence.parent / "case.duckdb") as connection:
        connection.execute("CREATE TABLE mine (a INTEGER)")
    status, said, case = run_ingest(evidence)
    assert status == 3
    assert said == f"error: {case}: a DuckDB database but no evtxhunt case; give --case another path\n"
    assert rows(case, "SELECT table_name FROM duckdb_tables()") == [("mine",)]


def test_case_of_a_newer_schema(evidence: Path) -> None:
    _, _, case = run_ingest(evidence)
    with duckdb.connect(case) as connection:
        connection.execute("UPDATE case_info SET schema_version = ?, created_by = '9.9'", [SCHEMA_VERSION + 1])
    for command in (["ingest", str(evidence)], ["info"], ["sql", "SELECT 1"], ["detect"], ["report"]):
        result = runner.invoke(app, [*command, "--case", str(case)])
        assert result.exit_code == 3
        assert result.stderr == (
            f"error: {case}: the case has schema version {SCHEMA_VERSION + 1} (evtxhunt 9.9), this evtxhunt knows"
            f" {SCHEMA_VERSION}; use that version or ingest into a new case\n"
        )


def test_case_in_a_folder_that_does_not_exist(evidence: Path) -> None:
    result = runner.invoke(app, ["ingest", str(evidence), "--case", str(evidence / "no" / "case.duckdb")])
    assert result.exit_code == 3
    assert result.stderr.startswith(f"error: {evidence}/no/case.duckdb: the case cannot be opened: ")
    assert result.stderr.count("\n") == 1


def test_missing_case_says_how_to_make_one(tmp_path: Path) -> None:
    result = runner.invoke(app, ["info", "--case", str(tmp_path / "no.duckdb")])
    assert result.exit_code == 3
    assert "evtxhunt ingest EVIDENCE --case" in result.stderr


def test_file_that_changes_after_it_was_hashed_is_said_to_have(evidence: Path) -> None:
    from evtxhunt.fast_parser import FastParser
    from evtxhunt.model import SourceFile
    from evtxhunt.parse import LogReader

    log = evidence / "good.evtx"
    reader = LogReader(SourceFile(log, log.stat().st_size, "", log.stat().st_mtime_ns, None, False), FastParser())
    os.utime(log, ns=(0, 0))
    assert sum(len(batch) for batch in reader.batches()) == 5
    assert [failure.reason for failure in reader.account().failures] == [
        "the file changed after it was hashed; ingest it again"
    ]


def test_evidence_is_not_written_to(evidence: Path) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in evidence.iterdir()}
    run_ingest(evidence)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in evidence.iterdir()} == before


def test_full_disk_is_an_error_and_leaves_a_case(evidence: Path) -> None:
    import resource
    import subprocess
    import sys

    from benchmarks.corpus import make_corpus

    make_corpus(evidence / "more", 30 * 2**20)
    case = evidence.parent / "case.duckdb"

    def limit_file_size() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * 2**20, 2 * 2**20))

    command = [sys.executable, "-m", "evtxhunt", "ingest", str(evidence), "--case", str(case)]
    result = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit_file_size, check=False)
    assert result.returncode == 3, result.stderr
    assert result.stderr.startswith(f"error: {case}: cannot be written: ")
    assert rows(case, "SELECT count(*) FROM event") == [(0,)]
    assert runner.invoke(app, ["ingest", str(evidence), "--case", str(case)]).exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("numbers", [60, 1])
def test_log_of_huge_records_takes_bounded_memory(numbers: int, tmp_path: Path) -> None:
    import dataclasses
    import json
    import subprocess
    import sys

    from samples import values
    from samples.events import EventData
    from samples.evtx_writer import build_log
    from tests.logs import make_records

    # Text that hardly compresses, near the most that a record can hold.
    text = "".join(chr(0x4E00 + (number * 7919) % 20000) for number in range(28_000))
    records = [
        dataclasses.replace(
            record, payload=EventData((("ScriptBlockText", values.string(text[number:] + text[:number])),))
        )
        for number, record in enumerate(make_records(64))
    ]
    with (tmp_path / "huge.evtx").open("wb") as file:
        for part in range(60):
            if part < numbers:  # else the records before once more
                first = 64 * part
                log = build_log([dataclasses.replace(record, record_id=first + record.record_id) for record in records])
            file.write(log if part == 0 else log[4096:])
    code = (
        "import json, sys; from pathlib import Path; from benchmarks.resident import peak_resident;"
        "from evtxhunt.pipeline.ingest import ingest;"
        "s = ingest([Path(sys.argv[1])], Path(sys.argv[2]));"
        "print(json.dumps([s.events, peak_resident() // 2**20]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "huge.evtx"), str(tmp_path / "case.duckdb")]
    result = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    events, resident = json.loads(result.stdout)
    assert events == 64 * numbers
    assert resident < 1000  # MiB: 512 MB for DuckDB, and what Python, Arrow and the allocators hold beside it


def test_ansi_text_is_read_by_the_code_page_that_is_given(evidence: Path) -> None:
    text = values.Value(values.ValueType.ANSI_STRING, "Бухгалтерия".encode("cp1251"), values.ValueType.ANSI_STRING)
    record = replace(make_records(1)[0], payload=EventData((("TargetUserName", text),)))
    for path in evidence.iterdir():
        path.unlink()
    (evidence / "a.evtx").write_bytes(build_log([record]))
    case = evidence.parent / "case.duckdb"
    result = runner.invoke(app, ["ingest", str(evidence), "--case", str(case), "--ansi-codec", "windows-1251"])
    assert result.exit_code == 0
    assert rows(case, "SELECT target_user_name FROM event") == [("Бухгалтерия",)]
    result = runner.invoke(app, ["ingest", str(evidence), "--case", str(case), "--ansi-codec", "klingon"])
    assert (result.exit_code, result.stderr) == (
        3,
        "error: klingon: no code page that is known; give --ansi-codec one such as windows-1251\n",
    )
