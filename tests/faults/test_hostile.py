"""Forged and damaged structures, one by one, with the numbers that must come out."""

import struct
from pathlib import Path

import pytest

from evtxhunt.chunk import CHUNK_SIZE, FILE_HEADER_SIZE
from evtxhunt.fast_parser import FastParser
from evtxhunt.parse import newest_computer
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.verify import verify
from samples.evtx_writer import file_header, seal
from tests.faults.campaign import read
from tests.faults.hostile import HOSTILE
from tests.logs import make_log, rows

GOOD = 5  # records of the second chunk of each hostile log
# Records of the first chunk that are read, that fail, and what is said of the first of these.
FORGED = {
    "plain": (2, 0, ""),
    "template holds itself": (2, 1, "template instance inside template"),
    "template holds itself twice": (2, 1, "template instance inside template"),
    "two templates hold each other": (2, 1, "template instance inside template"),
    "elements 200 deep": (3, 0, ""),
    "elements 4900 deep": (1, 1, "nested too deeply"),
    "elements 5300 deep, never closed": (1, 1, "nested too deeply"),
    "values 100 deep": (2, 1, "nested too deeply"),
    "values 2600 deep": (0, 1, "nested too deeply"),
    "one value 4000 times": (1, 1, "it would render to 80000012 characters"),
    "name at 4294967295": (2, 1, "string table offset"),
    "no values for a place": (3, 0, ""),
    "4 billion values": (2, 1, "deserialize"),
    "value longer than its record": (2, 1, "deserialize"),
    "odd string": (2, 1, "invalid data"),
    "lone surrogates": (3, 0, ""),
    "array of ends": (3, 0, ""),
    "fills its chunk": (1, 0, ""),
    "64-bit ids": (3, 0, ""),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_record_costs_itself_alone(name: str, tmp_path: Path) -> None:
    reading = read(HOSTILE[name], tmp_path / "forged.evtx")
    parsed, failed, reason = FORGED[name]
    account = reading.account
    assert (account.expected, account.parsed, account.failed) == (parsed + failed + GOOD, parsed + GOOD, failed)
    assert len(reading.rows[1]) == GOOD
    assert [reason in failure.reason for failure in account.failures] == [True] * failed


def test_record_ids_of_64_bits_are_kept(tmp_path: Path) -> None:
    (tmp_path / "ids.evtx").write_bytes(HOSTILE["64-bit ids"])
    ingest([tmp_path / "ids.evtx"], tmp_path / "case.duckdb")
    assert rows(tmp_path / "case.duckdb", "SELECT header_record_id FROM event ORDER BY 1 DESC LIMIT 3") == [
        (2**64 - 1,),
        (2**64 - 2,),
        (2**63,),
    ]
    assert rows(
        tmp_path / "case.duckdb", "SELECT first_header_record_id, last_header_record_id, status FROM source_file"
    ) == [(1, 2**64 - 1, "complete")]


def test_record_of_which_no_json_comes_fails_and_the_others_of_its_load_are_there(tmp_path: Path) -> None:
    logs, case = tmp_path / "logs", tmp_path / "case.duckdb"
    logs.mkdir()
    (logs / "a.evtx").write_bytes(make_log(40, "GOOD.example.test"))
    # The name that is said to stand at 0 is the chunk header taken for text: control characters, not escaped.
    (logs / "b.evtx").write_bytes(HOSTILE["name at 0"])
    summary = ingest([logs], case)
    assert summary.events == 40 + 2 + GOOD
    assert rows(case, "SELECT expected, parsed, failed FROM source_file ORDER BY path") == [(40, 40, 0), (8, 7, 1)]
    assert rows(case, "SELECT scope, chunk, header_record_id, reason FROM parse_failure") == [
        (
            "record",
            0,
            2,
            "what the parser makes of it is no JSON; read alone:"
            " its name at 725 is overwritten: the hash there does not fit",
        )
    ]
    assert verify(case).differences == ()


@pytest.mark.parametrize("name", ["plain", "name at 0", "elements 200 deep"])
def test_forged_records_have_no_computer_to_name_a_host_by(name: str, tmp_path: Path) -> None:
    log = HOSTILE[name][: FILE_HEADER_SIZE + CHUNK_SIZE]
    (tmp_path / "forged.evtx").write_bytes(log)
    with (tmp_path / "forged.evtx").open("rb") as file:
        assert newest_computer(file, "", FastParser()) is None


def test_chunk_number_that_lies_does_not_hide_the_computer(tmp_path: Path) -> None:
    log = bytearray(make_log(5, "WS02"))
    for newest in (1, 2**20, 2**40 - 1, 2**64 - 1):
        struct.pack_into("<Q", log, 16, newest)
        (tmp_path / "lying.evtx").write_bytes(log)
        with (tmp_path / "lying.evtx").open("rb") as file:
            assert newest_computer(file, "", FastParser()) == "WS02"


@pytest.mark.parametrize("is_sealed", [False, True])
@pytest.mark.parametrize("free_space", [0, 1, 511, 512, 600, 5000, 16663, 16665, 65535, 65536, 65537, 2**32 - 1])
def test_wrong_end_of_live_space_hides_no_record(free_space: int, is_sealed: bool, tmp_path: Path) -> None:
    log = bytearray(make_log(50))
    struct.pack_into("<I", log, FILE_HEADER_SIZE + 48, free_space)
    if is_sealed and 512 <= free_space <= CHUNK_SIZE:
        chunk = log[FILE_HEADER_SIZE:]
        seal(chunk)
        log[FILE_HEADER_SIZE:] = chunk
    reading = read(bytes(log), tmp_path / "lying.evtx")
    account = reading.account
    assert (account.expected, account.parsed, account.failed) == (50, 50, 0)
    assert [failure.scope for failure in account.failures] == ["chunk"]


@pytest.mark.parametrize("at", [128, 380, 384, 508])
def test_wrong_offset_in_a_table_of_the_chunk_header_costs_nothing(at: int, tmp_path: Path) -> None:
    log = bytearray(make_log(50))
    struct.pack_into("<I", log, FILE_HEADER_SIZE + at, 2**32 - 1)
    reading = read(bytes(log), tmp_path / "table.evtx")
    assert reading.rows == read(make_log(50), tmp_path / "table.evtx").rows
    assert (reading.account.parsed, reading.account.failures) == (50, ())
    assert reading.account.chunk_crc_mismatches == 1


@pytest.mark.parametrize("is_header_sound", [True, False])
def test_records_that_the_size_of_another_hides_are_named(is_header_sound: bool, tmp_path: Path) -> None:
    log = bytearray(make_log(50))
    places = [row[2] + FILE_HEADER_SIZE for row in read(bytes(log), tmp_path / "whole.evtx").rows[0]]
    hidden = places[25] - places[20]
    struct.pack_into("<I", log, places[20] + 4, hidden)
    struct.pack_into("<I", log, places[25] - 4, hidden)
    log[FILE_HEADER_SIZE + 124] ^= not is_header_sound
    # A value of the one that hides them may look so: they are slack. The chunk header counts them, if it is believed.
    reading = read(bytes(log), tmp_path / "hidden.evtx")
    account = reading.account
    missing = 4 if is_header_sound else 0
    assert (account.expected, account.parsed, account.rescued, account.failed) == (46 + missing, 46, 0, missing)
    # The size of the one that hides them stands where the last one has its own.
    assert [record.file_offset for record in account.recovered if record.row is not None] == places[21:24]
    assert reading.slack == 3
    assert [(failure.scope, failure.file_offset) for failure in account.failures if failure.scope != "record"] == [
        ("chunk", places[21])
    ]


def test_records_behind_a_right_end_of_live_space_are_not_live(tmp_path: Path) -> None:
    log = bytearray(make_log(50))
    old = make_log(90)
    log[FILE_HEADER_SIZE + 16664 :] = old[FILE_HEADER_SIZE + 16664 :]
    reading = read(bytes(log), tmp_path / "slack.evtx")
    assert (reading.account.expected, reading.account.parsed, reading.account.failures) == (50, 50, ())


@pytest.mark.parametrize("kept", [1, 8, 20, 23, 24, 25, 100, 295])
def test_record_that_the_end_of_the_file_cuts_is_not_read(kept: int, tmp_path: Path) -> None:
    whole = read(make_log(30), tmp_path / "whole.evtx").rows[0]
    cut = make_log(30)[: FILE_HEADER_SIZE + whole[10][2] + kept]
    reading = read(cut, tmp_path / "cut.evtx")
    assert reading.rows[0] == whole[:10]
    assert (reading.account.expected, reading.account.failed) == (30, 20)
    assert [failure.header_record_id for failure in reading.account.failures if failure.scope == "record"] == [
        *range(11, 31)
    ]
    # The header of the cut record is there from its 24th byte on.
    assert [failure.reason for failure in reading.account.failures if failure.header_record_id == 11] == [
        "the file ends inside it" if kept >= 24 else "the chunk header counts it but its record header is gone"
    ]


@pytest.mark.parametrize(
    ("tail", "told"),
    [
        pytest.param(b"", [], id="header alone"),
        pytest.param(bytes(3 * CHUNK_SIZE), [], id="chunks never written"),
        pytest.param(bytes(100), [], id="begun and never written"),
        pytest.param(b"ElfChnk\0", ["file ends 8 bytes into this chunk of 65536"], id="magic of a chunk alone"),
        pytest.param(
            b"ElfChnk\0" + bytes(CHUNK_SIZE - 8),
            ["the chunk header is wrong about where live space ends; read to 512"],
            id="magic and zeros",
        ),
    ],
)
def test_log_without_records_says_what_is_odd_about_it(tail: bytes, told: list[str], tmp_path: Path) -> None:
    reading = read(file_header(1, 1) + tail, tmp_path / "empty.evtx")
    assert (reading.account.expected, reading.rows) == (0, {})
    assert [failure.reason for failure in reading.account.failures] == told


def test_chunk_begun_anew_and_not_yet_written_to_is_empty(tmp_path: Path) -> None:
    log = bytearray(make_log(50))
    chunk = log[FILE_HEADER_SIZE:]
    # As libyal has it: the first record is 1 and the last is -1.
    struct.pack_into("<4Q4I", chunk, 8, 1, 2**64 - 1, 1, 2**64 - 1, 128, 0, 512, 0)
    seal(chunk)
    reading = read(bytes(log[:FILE_HEADER_SIZE] + chunk), tmp_path / "new.evtx")
    assert (reading.account.expected, reading.rows, reading.account.failures) == (0, {}, ())
