"""Chunks of logs are found in anything, at any offset, and cited by it."""

import random
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evtxhunt.chunk import CHUNK_SIZE, FILE_HEADER_SIZE, walk_chunk
from evtxhunt.cli import app
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.verify import verify
from tests.logs import make_log, rows

runner = CliRunner()
RECORD = "* EXCLUDE (event_key, source_file_id, record_offset, origin)"


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def chunks_of(content: bytes) -> list[bytes]:
    return [content[start : start + CHUNK_SIZE] for start in range(FILE_HEADER_SIZE, len(content), CHUNK_SIZE)]


def carve(blob: Path, case: Path) -> None:
    ingest([], case, carve=[blob])
    assert verify(case).differences == ()


def test_chunks_at_any_alignment_give_all_records_with_their_offsets(tmp_path: Path) -> None:
    (tmp_path / "log.evtx").write_bytes(content := make_log(500))
    chunks = chunks_of(content)
    assert len(chunks) > 2
    places, blob = [], b""
    for number, chunk in enumerate(chunks):
        blob += noise(1000 + 7 * number, number)
        places.append(len(blob))
        blob += chunk
    (tmp_path / "blob.bin").write_bytes(blob + noise(5_000_000))
    carve(tmp_path / "blob.bin", tmp_path / "case.duckdb")
    ingest([tmp_path / "log.evtx"], tmp_path / "log.duckdb")
    query = f"SELECT {RECORD} FROM event ORDER BY event_record_id"
    assert rows(tmp_path / "case.duckdb", query) == rows(tmp_path / "log.duckdb", query)
    assert rows(tmp_path / "case.duckdb", "SELECT DISTINCT origin FROM event") == [("carved",)]
    assert rows(
        tmp_path / "case.duckdb", "SELECT file_offset, size, is_crc_valid FROM chunk_account ORDER BY chunk"
    ) == [(place, CHUNK_SIZE, True) for place in places]
    for (offset,) in rows(tmp_path / "case.duckdb", "SELECT record_offset FROM event"):
        assert isinstance(offset, int)
        assert blob.startswith(b"**\0\0", offset)
    accounts = "SELECT status, expected, parsed, rescued, failed, carved FROM source_file"
    assert rows(tmp_path / "case.duckdb", accounts) == [("complete", 0, 0, 0, 0, 500)]


def test_cut_chunks_give_what_is_whole_of_them_and_no_more(tmp_path: Path) -> None:
    first, second = chunks_of(make_log(400))[:2]
    cut = walk_chunk(first).offsets[40] + 100
    blob = noise(333) + first[:cut] + second + noise(50) + first[:cut]
    (tmp_path / "blob.bin").write_bytes(blob)
    carve(tmp_path / "blob.bin", tmp_path / "case.duckdb")
    whole = len(walk_chunk(second).offsets)
    expected = len(walk_chunk(first).offsets)
    assert rows(
        tmp_path / "case.duckdb",
        "SELECT file_offset, size, is_crc_valid, parsed + rescued, failed FROM chunk_account ORDER BY chunk",
    ) == [
        (333, cut, False, 40, expected - 40),
        (333 + cut, CHUNK_SIZE, True, whole, 0),
        (333 + cut + CHUNK_SIZE + 50, cut, False, 40, expected - 40),
    ]
    reasons = rows(tmp_path / "case.duckdb", "SELECT file_offset, reason FROM parse_failure WHERE scope = 'chunk'")
    assert (333 + cut, f"cut off {cut} bytes into this chunk of 65536") in reasons


def test_chunk_overwritten_behind_its_live_space_is_whole_and_what_overwrites_it_is_found(tmp_path: Path) -> None:
    (small,) = chunks_of(make_log(30))
    (other,) = chunks_of(make_log(20, "WS02.example.test"))
    (tmp_path / "blob.bin").write_bytes(small[: walk_chunk(small).live_end + 11] + other)
    carve(tmp_path / "blob.bin", tmp_path / "case.duckdb")
    assert rows(tmp_path / "case.duckdb", "SELECT computer, count(*) FROM event GROUP BY ALL ORDER BY 1") == [
        ("WS01.example.test", 30),
        ("WS02.example.test", 20),
    ]


def test_log_whose_header_is_destroyed_is_named_by_ingest_and_read_by_carve(tmp_path: Path) -> None:
    log = tmp_path / "Security.evtx"
    log.write_bytes(noise(FILE_HEADER_SIZE) + make_log(200)[FILE_HEADER_SIZE:])
    result = runner.invoke(app, ["ingest", str(log), "--case", str(tmp_path / "case.duckdb")])
    assert "not an event log, though named .evtx" in result.stderr
    assert "--carve" in result.stderr
    result = runner.invoke(app, ["ingest", "--carve", str(log), "--case", str(tmp_path / "case.duckdb")])
    assert result.exit_code == 0
    assert "200 records carved (origin carved), in 1 file" in result.stderr
    result = runner.invoke(app, ["ingest", "--carve", str(log), "--case", str(tmp_path / "case.duckdb")])
    assert "1 logs were in the case already" in result.stderr
    assert rows(tmp_path / "case.duckdb", "SELECT count(*) FROM event") == [(200,)]


@pytest.mark.parametrize("around", [0, 1, CHUNK_SIZE - 1, 4 * 2**20 - 5, 4 * 2**20 - CHUNK_SIZE, 4 * 2**20])
def test_chunks_across_the_blocks_that_are_read_are_found_once(around: int, tmp_path: Path) -> None:
    (chunk,) = chunks_of(make_log(30))
    (tmp_path / "blob.bin").write_bytes(bytes(around) + chunk + chunk)
    carve(tmp_path / "blob.bin", tmp_path / "case.duckdb")
    assert rows(tmp_path / "case.duckdb", "SELECT file_offset FROM chunk_account ORDER BY 1") == [
        (around,),
        (around + CHUNK_SIZE,),
    ]


def test_mark_without_a_header_is_named_and_costs_nothing(tmp_path: Path) -> None:
    (chunk,) = chunks_of(make_log(30))
    (tmp_path / "blob.bin").write_bytes(b"a ElfChnk\0 in a program" + chunk + b"ElfChnk\0")
    carve(tmp_path / "blob.bin", tmp_path / "case.duckdb")
    assert rows(tmp_path / "case.duckdb", "SELECT count(*) FROM event") == [(30,)]
    assert rows(tmp_path / "case.duckdb", "SELECT file_offset, reason FROM parse_failure ORDER BY 1") == [
        (2, "the mark ElfChnk without the header of a chunk behind it"),
        (23 + CHUNK_SIZE, "the mark ElfChnk without the header of a chunk behind it"),
    ]


def test_nothing_to_carve_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "blob.bin").write_bytes(noise(100_000))
    carve(tmp_path / "blob.bin", tmp_path / "case.duckdb")
    assert rows(tmp_path / "case.duckdb", "SELECT status, chunks, carved FROM source_file") == [("complete", 0, 0)]


@pytest.mark.parametrize(
    ("name", "said"), [("folder", "can only carve files and block devices"), ("no", "No such file")]
)
def test_what_cannot_be_carved_is_one_line(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    result = runner.invoke(app, ["ingest", "--carve", str(tmp_path / name), "--case", str(tmp_path / "case.duckdb")])
    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)
    assert said in result.stderr


@pytest.mark.slow
@pytest.mark.corpus
def test_chunks_of_real_logs_scattered_in_noise_come_back_whole(corpora: Path, tmp_path: Path) -> None:
    chooser = random.Random(20260501)
    logs = [path for path in sorted(corpora.rglob("*.evtx")) if path.stat().st_size < 3_000_000]
    chosen = chooser.sample(logs, 25)
    scattered = [chunk for path in chosen for chunk in chunks_of(path.read_bytes()) if len(chunk) == CHUNK_SIZE]
    chooser.shuffle(scattered)
    with (tmp_path / "blob.bin").open("wb") as blob:
        for chunk in scattered:
            blob.write(chooser.randbytes(chooser.randrange(20_000)))
            blob.write(chunk)
    folder = tmp_path / "logs"
    folder.mkdir()
    for number, path in enumerate(chosen):
        (folder / f"{number:02}.evtx").symlink_to(path)
    carve(tmp_path / "blob.bin", tmp_path / "case.duckdb")
    ingest([folder], tmp_path / "log.duckdb", recover=True)
    # Which of several copies is the event, and so whose header, depends on the order in which they are met.
    content = "SELECT computer, channel, event_record_id, event_time, event_data FROM {} ORDER BY ALL"
    carved = Counter(rows(tmp_path / "case.duckdb", content.format("event")))
    assert not Counter(rows(tmp_path / "log.duckdb", content.format("event"))) - carved
    # Records in slack whose template no chunk of their own log has, and a chunk of another one.
    borrowed = "(FROM event WHERE event_key IN (SELECT event_key FROM recovered_record WHERE state = 'borrowed'))"
    more = carved - Counter(rows(tmp_path / "log.duckdb", content.format("event")))
    assert more.total() == 14 and not more - Counter(rows(tmp_path / "case.duckdb", content.format(borrowed)))
