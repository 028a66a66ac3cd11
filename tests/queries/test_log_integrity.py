"""log_integrity: each reason with a hit and a near miss on logs that were written and then damaged for it."""

import os
import struct
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evtxhunt.cli import app
from evtxhunt.pipeline.ingest import SilentProgress, ingest
from samples import shapes, values
from samples.events import Record, UserData, UserElement
from samples.evtx_writer import (
    CHUNK_SIZE,
    FILE_HEADER_SIZE,
    build_log,
    file_header,
    leave_dirty,
    renumber_as_export,
    seal,
)
from tests.logs import START, make_log, make_records
from tests.queries.conftest import Look, Remarks


def reasons(remarks: Remarks) -> dict[str, list[str]]:
    return {name: list(rows) for name, rows in remarks.items()}


def two_chunks() -> bytes:
    log = make_log(300)
    assert len(log) == FILE_HEADER_SIZE + 2 * CHUNK_SIZE
    return log


def header_of(log: bytes) -> bytes:
    return log[:FILE_HEADER_SIZE]


def without(numbers: Sequence[int], count: int = 100) -> list[Record]:
    return [record for record in make_records(count) if record.record_id not in numbers]


def cleared(record_id: int, shape: Any, channel: str | None = None, user: str = "mallory") -> Record:
    fields = [("SubjectUserName", values.string(user)), ("SubjectDomainName", values.string("EXAMPLE"))]
    fields += [("Channel", values.string(channel))] if channel else []
    name, namespace = shape.user_data
    payload = UserData(UserElement(name, tuple(UserElement(*field) for field in fields), namespace))
    (model,) = make_records(1)
    return replace(
        model,
        provider=shape.provider,
        channel=shape.channel,
        event_id=shape.event_id,
        record_id=record_id,
        time=values.filetime_from(START + timedelta(seconds=record_id)),
        payload=payload,
    )


def test_whole_logs_and_what_lies_behind_live_space_have_no_remark(look: Look) -> None:
    remains = build_log(make_records(20), remains=make_records(300, "WS03"))
    slack = bytearray(make_log(30, "WS04"))
    slack[-100] ^= 0xFF
    assert reasons(look(whole=two_chunks(), remains=remains, slack=bytes(slack))) == {
        "whole": [],
        "remains": [],
        "slack": [],
    }


def test_numbers_that_no_file_holds(look: Look) -> None:
    found = look(log=build_log(without(range(50, 53))))
    assert reasons(found) == {"log": ["records_missing"]}
    row = found["log"]["records_missing"]
    assert (row["severity"], row["occurrences"], row["event_keys"]) == ("notable", 1, [49, 50])
    assert row["meaning"] == (
        "3 EventRecordIDs between #49 and #53 (between 2026-05-01 12:00:49Z and 12:00:53Z), in 1 hole, are in no file"
        " of the case"
    )
    assert "crash" in row["innocent_causes"]


def test_numbers_that_another_file_holds_are_not_missing(look: Look) -> None:
    found = look(log=build_log(without(range(50, 53))), rest=build_log(make_records(60)[45:]))
    assert reasons(found) == {"log": [], "rest": []}


def test_a_hole_is_in_each_log_that_has_both_its_sides(look: Look) -> None:
    found = look(log=build_log(without([50])), older=build_log(without([50], 70)), oldest=build_log(make_records(49)))
    assert reasons(found) == {"log": ["records_missing"], "older": ["records_missing"], "oldest": []}


def test_numbers_between_two_files_are_ordinary(look: Look) -> None:
    found = look(early=build_log(make_records(10)), late=build_log(make_records(40)[20:]))
    assert reasons(found) == {"early": [], "late": ["records_missing_between_logs"]}
    assert found["late"]["records_missing_between_logs"]["severity"] == "remark"


def test_an_export_has_no_holes_and_says_so(look: Look) -> None:
    export = build_log(renumber_as_export(without(range(50, 53))))
    found = look(export=export, other=build_log(make_records(9, "WS02")))
    assert reasons(found) == {"export": ["numbered_anew"], "other": []}
    assert (found["export"]["numbered_anew"]["severity"], found["export"]["numbered_anew"]["occurrences"]) == (
        "remark",
        48,
    )


def test_a_log_beside_an_export_of_it_is_said_to_be_not_judged(look: Look) -> None:
    export = build_log(renumber_as_export(make_records(90)[80:]))
    found = look(log=build_log(without([50], 60)), export=export)
    assert reasons(found) == {"log": ["holes_not_judged"], "export": ["numbered_anew"]}


def test_headers_that_disagree_here_and_there_are_no_export(look: Look) -> None:
    swapped = {7: 8, 8: 7}
    found = look(
        log=build_log([replace(item, header_record_id=swapped.get(item.record_id)) for item in make_records(20)])
    )
    assert reasons(found) == {"log": ["numbers_disagree", "holes_not_judged"]}
    assert found["log"]["numbers_disagree"]["occurrences"] == 2


def test_a_header_with_a_higher_number_is_no_export_either(look: Look) -> None:
    records = make_records(20)
    records[-1] = replace(records[-1], header_record_id=900)
    assert "numbers_disagree" in look(log=build_log(records))["log"]


def covered(log: bytes, number: int) -> bytearray:
    """The log with record `number` swallowed by the one before it, which is how a tool hides it."""
    changed = bytearray(log)
    offset, before = FILE_HEADER_SIZE + 512, 0
    while struct.unpack_from("<Q", changed, offset + 8)[0] != number:
        before, offset = offset, offset + struct.unpack_from("<I", changed, offset + 4)[0]
    size = offset - before + struct.unpack_from("<I", changed, offset + 4)[0]
    struct.pack_into("<I", changed, before + 4, size)
    struct.pack_into("<I", changed, before + size - 4, size)
    return changed


def test_a_record_covered_by_another_with_checksums_made_anew_is_serious(look: Look) -> None:
    bad = covered(make_log(50), 20)
    chunk = bad[FILE_HEADER_SIZE:]
    seal(chunk)
    found = look(covered=header_of(bytes(bad)) + bytes(chunk))
    assert reasons(found) == {"covered": ["records_gone_checksums_fit"]}
    row = found["covered"]["records_gone_checksums_fit"]
    assert (row["severity"], row["occurrences"]) == ("serious", 1)
    assert (
        "1 record is counted by the chunk headers and not there, though the checksums of all chunks fit"
        in row["meaning"]
    )


def test_the_same_with_old_checksums_may_be_damage(look: Look) -> None:
    found = look(covered=bytes(covered(make_log(50), 20)))
    assert reasons(found) == {"covered": ["checksum_mismatch", "records_gone"]}
    assert {row["severity"] for row in found["covered"].values()} == {"notable"}


def lose_chunk(log: bytearray, start: int) -> None:
    """Destroys the mark of a chunk and its first record, in which the templates and names of all others stand."""
    log[start : start + 8] = b"XXXXXXXX"
    (size,) = struct.unpack_from("<I", log, start + 512 + 4)
    log[start + 512 + 24 : start + 512 + size] = b"\xff" * (size - 24)


def test_records_of_a_chunk_without_header_are_rescued(look: Look) -> None:
    log = bytearray(two_chunks())
    log[FILE_HEADER_SIZE : FILE_HEADER_SIZE + 8] = b"XXXXXXXX"
    assert reasons(look(log=bytes(log))) == {"log": ["checksum_mismatch", "part_unreadable", "records_rescued"]}


def test_records_of_a_chunk_without_header_and_templates_are_unreadable(look: Look) -> None:
    log = bytearray(two_chunks())
    lose_chunk(log, FILE_HEADER_SIZE)
    found = look(log=bytes(log))
    assert reasons(found) == {"log": ["checksum_mismatch", "part_unreadable", "records_unreadable", "records_rescued"]}
    # The template and names that the others have lost with the first one stand in the second chunk as well.
    (in_chunk,) = struct.unpack_from("<Q", log, FILE_HEADER_SIZE + 16)
    occurrences = {name: row["occurrences"] for name, row in found["log"].items()}
    assert (occurrences["records_unreadable"], occurrences["records_rescued"]) == (1, in_chunk - 1)


def test_a_hole_made_of_unreadable_records_is_no_riddle(look: Look) -> None:
    log = bytearray(make_log(500))
    assert len(log) > FILE_HEADER_SIZE + 2 * CHUNK_SIZE
    lose_chunk(log, FILE_HEADER_SIZE + CHUNK_SIZE)
    assert "records_missing" not in look(log=bytes(log))["log"]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param(
            FILE_HEADER_SIZE + CHUNK_SIZE + 9000,
            ["checksum_mismatch", "file_cut_off", "records_gone", "records_unreadable"],
            id="chunk",
        ),
        pytest.param(600, ["file_cut_off", "header_ahead"], id="header"),
        pytest.param(FILE_HEADER_SIZE + CHUNK_SIZE, ["header_ahead"], id="between chunks"),
        pytest.param(FILE_HEADER_SIZE + 2 * CHUNK_SIZE, [], id="whole"),
    ],
)
def test_a_log_that_is_cut_off(look: Look, size: int, expected: list[str]) -> None:
    assert reasons(look(log=two_chunks()[:size])) == {"log": expected}


def test_a_changed_byte_of_a_record_is_a_checksum_that_does_not_fit(look: Look) -> None:
    log = make_log(30)
    name = "user17".encode("utf-16-le")
    found = look(log=log.replace(name, "user71".encode("utf-16-le")))
    assert reasons(found) == {"log": ["checksum_mismatch"]}
    assert found["log"]["checksum_mismatch"]["meaning"] == "the checksums of 1 chunk of 1 do not fit what is in them"


def test_a_changed_file_header_is_told_and_its_numbers_are_not_believed(look: Look) -> None:
    log = bytearray(make_log(30))
    log[24] = 7  # the next record's number
    assert reasons(look(log=bytes(log))) == {"log": ["header_checksum_mismatch"]}


@pytest.mark.parametrize(
    ("next_id", "flags", "expected"),
    [
        (31, 0, []),
        (20, 0, ["header_behind"]),
        (20, 1, ["not_closed"]),
        (31, 1, ["not_closed"]),
        (40, 0, ["header_ahead"]),
        (2**64 - 1, 0, ["header_ahead"]),
    ],
)
def test_what_the_file_header_calls_the_next_record(look: Look, next_id: int, flags: int, expected: list[str]) -> None:
    assert reasons(look(log=file_header(1, next_id, flags) + make_log(30)[FILE_HEADER_SIZE:])) == {"log": expected}


def test_a_log_of_a_running_system_is_ordinary(look: Look) -> None:
    found = look(live=leave_dirty(two_chunks()), closed=make_log(5, "WS02"))
    assert reasons(found) == {"live": ["not_closed"], "closed": []}
    row = found["live"]["not_closed"]
    assert row["severity"] == "remark" and "those up to #300 were found all the same" in row["meaning"]
    assert "running system" in row["innocent_causes"]


def test_a_log_without_records_that_has_had_some(look: Look) -> None:
    empty = bytes(CHUNK_SIZE)
    found = look(emptied=file_header(1, 500) + empty, fresh=file_header(1, 1) + empty)
    assert reasons(found) == {"emptied": ["header_ahead"], "fresh": []}
    assert "there is none" in found["emptied"]["header_ahead"]["meaning"]


def test_time_that_goes_back_by_more_than_minutes(look: Look) -> None:
    def set_back(minutes: float, computer: str) -> bytes:
        records = make_records(20, computer)
        ticks = int(minutes * 60 * 10**7)
        return build_log([replace(item, time=item.time - ticks * (item.record_id > 10)) for item in records])

    found = look(hour=set_back(60, "WS01"), near=set_back(4, "WS02"))
    assert reasons(found) == {"hour": ["time_backwards"], "near": []}
    row = found["hour"]["time_backwards"]
    assert (row["severity"], row["occurrences"], row["event_keys"]) == ("notable", 1, [10, 11])
    assert "by up to 59 minutes" in row["meaning"]


def test_clearings_are_told_of_the_log_and_of_the_one_that_holds_the_record(look: Look) -> None:
    system = [cleared(5, shapes.LOG_CLEARED, "Security"), cleared(6, shapes.LOG_CLEARED, "Application")]
    found = look(
        security=build_log([cleared(1, shapes.SECURITY_LOG_CLEARED), *make_records(9)[1:]]),
        system=build_log(system),
        elsewhere=build_log(make_records(9, "WS02")),
        same=build_log(make_records(9)[6:]),
        before=build_log(make_records(4)[2:]),
    )
    assert reasons(found) == {
        "security": ["log_cleared"],
        "system": ["other_log_cleared"],
        "elsewhere": [],
        "same": ["log_cleared"],
        "before": ["log_cleared"],
    }
    row = found["security"]["log_cleared"]
    assert (row["severity"], row["occurrences"], len(row["event_keys"])) == ("serious", 2, 2)
    assert row["meaning"].startswith("cleared between 2026-05-01 12:00:01Z and 12:00:05Z by mallory: ")
    assert "holds the record that Application, Security was cleared" in found["system"]["other_log_cleared"]["meaning"]


def test_one_clearing_of_which_two_files_hold_the_record_is_one(look: Look) -> None:
    record = cleared(1, shapes.SECURITY_LOG_CLEARED)
    found = look(log=build_log([record, *make_records(9)[1:]]), older=build_log([record, *make_records(5)[1:]]))
    assert reasons(found) == {"log": ["log_cleared"], "older": ["log_cleared"]}
    row = found["log"]["log_cleared"]
    assert (row["occurrences"], row["event_keys"]) == (1, [1])


def test_a_log_without_checksums_is_ordinary_and_said_to_be(look: Look) -> None:
    log = bytearray(make_log(5))
    log[120:128] = b"\4" + bytes(7)
    log[FILE_HEADER_SIZE + 120 : FILE_HEADER_SIZE + 128] = b"\5" + bytes(7)
    log[FILE_HEADER_SIZE + 52 : FILE_HEADER_SIZE + 56] = bytes(4)
    assert reasons(look(log=bytes(log), other=make_log(5, "WS02"))) == {"log": ["no_checksums"], "other": []}


def test_a_file_that_changes_while_it_is_read(look: Look, tmp_path: Path) -> None:
    class Touch(SilentProgress):
        """Another program writes to the log while its first records are read."""

        def advance(self, path: str, size: int, records: int) -> None:
            os.utime(path, ns=(0, 0))

    found = look(progress=Touch(), log=make_log(5000))
    assert reasons(found) == {"log": ["reading_disturbed"]}


def test_a_copy_has_the_rows_of_its_original(look: Look) -> None:
    log = build_log(without([50]))
    assert reasons(look(a=log, b=log)) == {"a": ["records_missing"], "b": []}


def test_forged_numbers_of_64_bits_break_nothing(look: Look) -> None:
    records = [
        replace(item, record_id=2**63 + 5 if item.record_id == 9 else item.record_id) for item in make_records(9)
    ]
    found = look(log=build_log(records), other=build_log([replace(make_records(1, "WS02")[0], record_id=2**64 - 2)]))
    assert list(found["log"]) == ["records_missing"]
    assert f"{2**63 - 4} EventRecordIDs" in found["log"]["records_missing"]["meaning"]


def test_info_says_in_one_line_how_many_logs_have_remarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said() -> str:
        result = CliRunner().invoke(app, ["info", "--case", str(tmp_path / "case.duckdb")])
        assert result.exit_code == 0, result.stderr
        return result.stderr.splitlines()[1]

    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "whole.evtx").write_bytes(make_log(5))
    ingest([folder], tmp_path / "case.duckdb")
    assert said() == "no remarks on the integrity of any log (view log_integrity)"
    (folder / "live.evtx").write_bytes(leave_dirty(build_log(make_records(300, "WS02"))))
    cut = leave_dirty(build_log(make_records(300, "WS03")))[: FILE_HEADER_SIZE + CHUNK_SIZE + 9000]
    (folder / "cut.evtx").write_bytes(cut)  # notable, and a remark
    ingest([folder], tmp_path / "case.duckdb")
    assert said() == (
        'remarks on the integrity of 2 logs (0 serious, 1 notable, 1 ordinary): evtxhunt sql "FROM log_integrity"'
    )
    (tmp_path / "queries" / "views").mkdir(parents=True)  # views of one's own, and this one is not among them
    monkeypatch.setenv("EVTXHUNT_QUERIES", str(tmp_path / "queries"))
    assert said() == "(3 rows)"


def test_hostile_names_of_who_cleared_stay_on_one_line(look: Look) -> None:
    found = look(log=build_log([cleared(1, shapes.SECURITY_LOG_CLEARED, user="a\n\n" + "x" * 500)]))
    meaning = found["log"]["log_cleared"]["meaning"]
    assert "\n" not in meaning and len(meaning) < 250
