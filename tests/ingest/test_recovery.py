"""Records that the fast parser leaves out, and those left in free space: found, marked, accounted for."""

import struct
import tarfile
import zlib
from pathlib import Path

import pyevtx
import pytest
from lxml import etree
from typer.testing import CliRunner

from evtxhunt import __version__
from evtxhunt.chunk import CHUNK_SIZE, FILE_HEADER_SIZE, walk_chunk
from evtxhunt.cli import app
from evtxhunt.pipeline.ingest import add_staged, ingest
from evtxhunt.pipeline.staged import open_staging, read_stage
from evtxhunt.pipeline.verify import verify
from evtxhunt.store import open_store
from samples.evtx_writer import build_log
from tests.ingest.comparison import NS, is_same_data, json_values, normalise, xml_values
from tests.logs import make_log, make_records, rows

runner = CliRunner()
TABLES = ("event", "event_copy", "recovered_record", "source_file", "parse_failure", "record_span")
ACCOUNTS = "SELECT expected, parsed, rescued, failed, slack FROM source_file ORDER BY path"


def log_with_slack() -> bytes:
    """Ten new records where forty of another day had been, whose last ones are still there behind them."""
    remains = make_records(40, text=" of another day")
    return build_log(make_records(10), remains=remains)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder / "a.evtx"


def test_slack_of_a_whole_log_is_searched_when_asked(log: Path, tmp_path: Path) -> None:
    log.write_bytes(log_with_slack())
    ingest([log], tmp_path / "plain.duckdb")
    assert rows(tmp_path / "plain.duckdb", ACCOUNTS) == [(10, 10, 0, 0, None)]
    case = tmp_path / "case.duckdb"
    ingest([log], case, recover=True)
    ((_, _, _, _, slack),) = rows(case, ACCOUNTS)
    assert slack == rows(case, "SELECT count(*) FROM event WHERE origin = 'slack'")[0][0] > 20
    assert rows(case, "SELECT DISTINCT target_user_name LIKE '% of another day' FROM event WHERE origin = 'slack'") == [
        (True,)
    ]
    assert rows(case, "SELECT count(*) FROM event WHERE origin = 'live'") == [(10,)]
    # Their templates stand at the chunk's start, where the new records' are now: the same ones, at the same place.
    assert rows(case, "SELECT DISTINCT origin, state FROM recovered_record") == [("slack", "borrowed")]
    assert verify(case).differences == ()


def test_slack_of_a_log_that_the_case_has_is_added_later(log: Path, tmp_path: Path) -> None:
    log.write_bytes(log_with_slack())
    (log.parent / "copy.evtx").write_bytes(log.read_bytes())
    at_once, later = tmp_path / "once.duckdb", tmp_path / "later.duckdb"
    ingest([log.parent], at_once, recover=True)
    ingest([log.parent], later)
    summary = ingest([log.parent], later, recover=True)
    assert (summary.events, len(summary.recovered)) == (0, 1)
    for table in TABLES:
        assert rows(at_once, f"FROM {table} ORDER BY ALL") == rows(later, f"FROM {table} ORDER BY ALL")
    assert ingest([log.parent], later, recover=True).recovered == ()
    assert verify(later).differences == ()


def test_slack_of_a_log_that_the_case_has_by_another_path_is_added(log: Path, tmp_path: Path) -> None:
    log.write_bytes(log_with_slack())
    other = tmp_path / "other"
    other.mkdir()
    (other / "b.evtx").write_bytes(log.read_bytes())
    at_once, later = tmp_path / "once.duckdb", tmp_path / "later.duckdb"
    for case, recover in ((at_once, True), (later, False)):
        ingest([log], case, host="FIRST", recover=recover)
        summary = ingest([other], case, host="SECOND", recover=True)
        assert (len(summary.copies), [path for path, _ in summary.recovered]) == (1, [] if recover else [str(log)])
    assert rows(later, "SELECT host, slack > 20 FROM source_file ORDER BY path") == [("FIRST", True), ("SECOND", True)]
    for table in TABLES:
        assert rows(at_once, f"FROM {table} ORDER BY ALL") == rows(later, f"FROM {table} ORDER BY ALL")
    assert verify(later).differences == ()


def test_slack_of_a_collection_that_is_read_again_is_added(log: Path, tmp_path: Path) -> None:
    log.write_bytes(log_with_slack())
    (log.parent / "b.evtx").write_bytes(log_with_slack()[:-100])  # damaged: its slack is searched at once
    with tarfile.open(log.parent / "c.tar", "w") as archive:
        archive.add(log, "copy.evtx")
    direct, staged, stage = tmp_path / "direct.duckdb", tmp_path / "staged.duckdb", tmp_path / "stage"
    for case in (direct, staged):
        ingest([log.parent], case)
    ingest([log.parent], direct, recover=True)
    ingest([log.parent], stage, recover=True, opener=open_staging)
    for _ in range(2):
        with open_store(staged, "512MB", __version__) as store:
            add_staged(store, [read_stage(stage)])
        for table in (*TABLES, "skipped_file"):
            assert rows(direct, f"FROM {table} ORDER BY ALL") == rows(staged, f"FROM {table} ORDER BY ALL")
    assert rows(staged, "SELECT slack > 20 FROM source_file ORDER BY path") == [(True,)] * 3
    assert verify(staged).differences == ()


def test_slack_that_is_added_later_changes_nothing_that_was_said_of_logs(tmp_path: Path) -> None:
    folder, case = tmp_path / "logs", tmp_path / "case.duckdb"
    folder.mkdir()
    first, more = make_log(40, "PC1"), make_log(10, "PC2")
    (folder / "a.evtx").write_bytes(first)
    (folder / "b.evtx").write_bytes(first + more[FILE_HEADER_SIZE:])  # most of it is a copy
    slack = build_log(make_records(3, "PC4"), remains=make_records(40, "PC4", " of another day"))
    (folder / "c.evtx").write_bytes(make_log(5, "PC3") + slack[FILE_HEADER_SIZE:])
    (folder / "d.evtx").write_bytes(make_log(5, "PC5"))
    logs, spans = "SELECT channel, computer FROM source_file ORDER BY path", "FROM record_span ORDER BY ALL"
    ingest([folder], case)
    named, before = rows(case, logs), rows(case, spans)
    assert named == [("Security", computer) for computer in ("PC1", "PC1", "PC3", "PC5")]
    ingest([folder / "a.evtx", folder / "c.evtx"], case, recover=True)
    ingest([folder], case, recover=True)
    assert rows(case, logs) == named
    after = rows(case, spans)
    assert [row for row in after if row not in before] == [(3, "PC4", "Security", 1, 40, 40, 40)]
    assert len(after) == len(before) and rows(case, "SELECT max(slack) FROM source_file") == [(37,)]
    ingest([folder], tmp_path / "once.duckdb", recover=True)
    assert (rows(tmp_path / "once.duckdb", logs), rows(tmp_path / "once.duckdb", spans)) == (named, after)


def test_slack_with_another_template_is_stale_and_not_guessed(log: Path, tmp_path: Path) -> None:
    whole = bytearray(log_with_slack())
    # Another template where the records in slack had theirs: its id, in the definition and in the live instances.
    chunk = bytes(whole[FILE_HEADER_SIZE:])
    (definition,) = struct.unpack_from("<I", chunk, 512 + 24 + 4 + 6)
    identity = chunk[definition + 4 : definition + 8]
    start, end = FILE_HEADER_SIZE, FILE_HEADER_SIZE + walk_chunk(chunk).live_end
    whole[start:end] = whole[start:end].replace(identity, b"\1\2\3\4")
    log.write_bytes(whole)
    ingest([log], tmp_path / "case.duckdb", recover=True)
    assert rows(tmp_path / "case.duckdb", ACCOUNTS) == [(10, 10, 0, 0, 0)]
    found = rows(
        tmp_path / "case.duckdb",
        "SELECT DISTINCT origin, state, reason LIKE '%another one''s id%' FROM recovered_record",
    )
    assert found == [("slack", "stale", True)]


def test_record_that_its_chunk_header_calls_free_is_rescued(log: Path, tmp_path: Path) -> None:
    content = bytearray(make_log(20))
    offsets = walk_chunk(bytes(content[FILE_HEADER_SIZE:])).offsets
    # Free space "begins" before the last two, while the header goes on counting them.
    struct.pack_into("<I", content, FILE_HEADER_SIZE + 48, offsets[18])
    chunk = content[FILE_HEADER_SIZE:]
    struct.pack_into("<I", content, FILE_HEADER_SIZE + 52, zlib.crc32(chunk[512 : offsets[18]]))
    chunk = content[FILE_HEADER_SIZE:]
    struct.pack_into("<I", content, FILE_HEADER_SIZE + 124, zlib.crc32(chunk[128:512], zlib.crc32(chunk[:120])))
    log.write_bytes(content)
    ingest([log], tmp_path / "case.duckdb", recover=True)
    assert rows(tmp_path / "case.duckdb", ACCOUNTS) == [(20, 18, 2, 0, 0)]
    assert rows(tmp_path / "case.duckdb", "SELECT count(*), count(DISTINCT event_record_id) FROM event") == [(20, 20)]


def test_every_record_is_rescued_from_a_chunk_whose_mark_is_gone(log: Path, tmp_path: Path) -> None:
    content = make_log(300)
    log.write_bytes(content)
    ingest([log], tmp_path / "whole.duckdb")
    log.write_bytes(content[:FILE_HEADER_SIZE] + b"XXXXXXXX" + content[FILE_HEADER_SIZE + 8 :])
    case = tmp_path / "case.duckdb"
    result = runner.invoke(app, ["ingest", str(log), "--case", str(case), "--strict"])
    assert result.exit_code == 4  # the chunk is named as damaged, though no record is lost
    columns = "* EXCLUDE (origin, written_time), written_time"
    assert rows(case, f"SELECT {columns} FROM event ORDER BY event_key") == rows(
        tmp_path / "whole.duckdb", f"SELECT {columns} FROM event ORDER BY event_key"
    )
    in_first_chunk = walk_chunk(content[FILE_HEADER_SIZE : FILE_HEADER_SIZE + CHUNK_SIZE])
    assert rows(case, ACCOUNTS) == [(300, 300 - len(in_first_chunk.offsets), len(in_first_chunk.offsets), 0, 0)]
    assert rows(case, "SELECT chunk, file_offset, size, expected, parsed, rescued, failed FROM chunk_account") == [
        (0, 4096, 65536, len(in_first_chunk.offsets), 0, len(in_first_chunk.offsets), 0)
    ]
    assert rows(case, "SELECT DISTINCT reason FROM recovered_record") == [("its chunk has no header to read it by",)]


# What libevtx's recovered_records can render beyond its normal records, and what of it stands in live space.
LIBEVTX = {
    "2-vss_0-Microsoft-Windows-RemoteDesktopServices-RdpCoreTS%4Operational.evtx": (41, 41, 0),
    "2-vss_0-Microsoft-Windows-TerminalServices-RemoteConnectionManager%4Operational.evtx": (266, 21, 245),
    "sample-with-zero-data-size-event.evtx": (114, 114, 0),
    "sample_with_a_bad_chunk_magic.evtx": (81, 31, 50),
}


def read_recovered(path: Path) -> dict[int, str]:
    """header_record_id -> XML of what libevtx recovers and does not have among its normal records."""
    log = pyevtx.open(str(path))
    normal = set()
    for index in range(log.number_of_records):
        try:
            normal.add(log.get_record(index).identifier)
        except OSError:
            continue
    found = {}
    for index in range(log.number_of_recovered_records):
        try:
            record = log.get_recovered_record(index)
            found[record.identifier] = record.xml_string
        except OSError:
            continue
    log.close()
    return {identifier: xml for identifier, xml in found.items() if identifier not in normal}


@pytest.mark.slow
@pytest.mark.corpus
@pytest.mark.parametrize("name", LIBEVTX)
def test_all_that_libevtx_recovers_is_there_with_the_same_text(name: str, corpora: Path, tmp_path: Path) -> None:
    (path,) = corpora.rglob(name)
    case = tmp_path / "case.duckdb"
    ingest([path], case, recover=True)
    ours = {
        row[0]: row[1:]
        for row in rows(case, "SELECT header_record_id, origin, event_record_id, computer, event_data FROM event")
    }
    theirs = read_recovered(path)
    counts = [sum(ours[identifier][0] == origin for identifier in theirs) for origin in ("rescued", "slack")]
    assert (len(theirs), *counts) == LIBEVTX[name]
    for identifier, xml in theirs.items():
        event = etree.fromstring(xml.encode())
        _, event_record_id, computer, event_data = ours[identifier]
        assert event.findtext(f"{NS}System/{NS}EventRecordID") == str(event_record_id)
        assert normalise(event.findtext(f"{NS}System/{NS}Computer")) == normalise(str(computer))
        payload = event.find(f"{NS}EventData")
        payload = event.find(f"{NS}UserData") if payload is None else payload
        assert is_same_data(json_values(event_data), xml_values(payload)), (identifier, event_data, xml)  # type: ignore[arg-type]
