"""Records of one number that differ, and what the other views say of files whose records are copies."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from evtxhunt.detect import run_detection
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.query import QuerySet, correlate, open_case
from samples import values
from samples.events import EventData, Provider, Record
from samples.evtx_writer import build_log, renumber_as_export
from tests.logs import START, make_records, rows
from tests.queries.conftest import Look


def forged(numbers: range, count: int = 9) -> list[Record]:
    """`count` records, of which these have another user."""
    payload = EventData((("TargetUserName", values.string("mallory")),))
    return [
        replace(record, payload=payload) if record.record_id in numbers else record for record in make_records(count)
    ]


def later(days: int, count: int = 9) -> list[Record]:
    return [
        replace(record, time=values.filetime_from(START + timedelta(days=days, seconds=record.record_id)))
        for record in make_records(count)
    ]


def test_changed_content_in_logs_whose_checksums_fit_is_serious(look: Look) -> None:
    found = look(log=build_log(make_records(9)), other=build_log(forged(range(4, 6))))
    assert {name: list(rows) for name, rows in found.items()} == {
        "log": ["content_differs_checksums_fit"],
        "other": ["content_differs_checksums_fit"],
    }
    row = found["log"]["content_differs_checksums_fit"]
    assert (row["severity"], row["occurrences"], row["event_keys"]) == ("serious", 2, [4, 5, 13, 14])
    assert row["meaning"].startswith("2 records have EventRecordIDs of others in ")
    assert row["meaning"].endswith(
        "evidence/other.evtx, of the same time, and they differ in event_data, though the checksums fit, as where one"
        " of them was changed: view record_conflict has both side by side"
    )


def test_changed_content_where_damage_or_an_export_may_be_why_is_notable(look: Look) -> None:
    damaged = bytearray(build_log(forged(range(4, 5))))
    damaged[4096 + 52] ^= 1  # of the chunk's checksum
    found = look(
        log=build_log(make_records(9)),
        bad=bytes(damaged),
        export=build_log(renumber_as_export(forged(range(7, 8))[3:])),
    )
    assert [found[name]["content_differs"]["severity"] for name in ("log", "bad", "export")] == ["notable"] * 3
    assert found["log"]["content_differs"]["occurrences"] == 2
    assert all("content_differs_checksums_fit" not in found[name] for name in found)


def test_numbers_used_again_at_another_time_are_two_histories(look: Look) -> None:
    found = look(log=build_log(make_records(9)), again=build_log(later(3, 5)))
    assert {name: list(rows) for name, rows in found.items()} == {
        "log": ["number_used_again"],
        "again": ["number_used_again"],
    }
    row = found["again"]["number_used_again"]
    assert (row["severity"], row["occurrences"]) == ("notable", 5)
    assert "of another time, as where a log has two histories" in row["meaning"]
    assert "virtual machine" in row["innocent_causes"]


def test_a_number_used_twice_in_one_file_is_said_to_be(look: Look) -> None:
    found = look(log=build_log(renumber_as_export([*make_records(3), *later(3, 2)])))
    row = found["log"]["number_used_again"]
    assert (row["occurrences"], row["event_keys"]) == (4, [1, 2, 4, 5])
    assert row["meaning"].startswith("4 records have EventRecordIDs of others in this log, of another time")


def test_a_copy_of_the_true_record_is_named_too(look: Look) -> None:
    found = look(log=build_log(make_records(9)), other=build_log(forged(range(4, 5))), older=build_log(make_records(5)))
    assert [list(found[name]) for name in ("log", "older", "other")] == [["content_differs_checksums_fit"]] * 3
    assert found["other"]["content_differs_checksums_fit"]["occurrences"] == 1
    assert "log.evtx, " in found["other"]["content_differs_checksums_fit"]["meaning"]
    assert "older.evtx, of the same time" in found["other"]["content_differs_checksums_fit"]["meaning"]


def test_copies_are_no_remark(look: Look) -> None:
    found = look(log=build_log(make_records(9)), same=build_log(make_records(5)), more=build_log(make_records(20)[7:]))
    assert found == {"log": {}, "same": {}, "more": {}}


def test_both_records_stand_side_by_side(look: Look, tmp_path: Path, query_set: QuerySet) -> None:
    look(log=build_log(make_records(9)), other=build_log(forged(range(4, 5))))
    with open_case(tmp_path / "case.duckdb", query_set) as connection:
        found = connection.execute(
            "SELECT event_record_id, is_same_time, is_comparable, differs, event_key, other_event_key, event_data,"
            " other_event_data FROM record_conflict"
        ).fetchall()
    assert found == [
        (4, True, True, ["event_data"], 4, 13, '{"TargetUserName":"user4"}', '{"TargetUserName":"mallory"}')
    ]


def test_a_hole_is_not_hidden_by_as_many_numbers_that_were_used_again(look: Look) -> None:
    log = [record for record in make_records(9) if record.record_id not in (5, 6)]
    found = look(log=build_log(log), again=build_log(later(3, 2)))
    assert list(found["log"]) == ["number_used_again", "records_missing"]


def test_an_export_of_records_that_the_log_has_leaves_its_holes_to_be_judged(look: Look) -> None:
    log = [record for record in make_records(9) if record.record_id not in (5, 6)]
    found = look(a_export=build_log(renumber_as_export(log[1:4])), log=build_log(log))
    assert {name: list(rows) for name, rows in found.items()} == {
        "a_export": ["numbered_anew"],
        "log": ["records_missing"],
    }


def test_a_clock_set_back_is_told_of_each_file_and_listed_once(look: Look, tmp_path: Path, query_set: QuerySet) -> None:
    back = [*make_records(9)[:5], *later(-1)[5:]]
    found = look(log=build_log(back), other=build_log(back[2:]))
    assert [found[name]["time_backwards"]["event_keys"] for name in ("log", "other")] == [[5, 6], [5, 6]]
    (hunt,) = [query for query in query_set.queries if query.id == "time_backwards"]
    with open_case(tmp_path / "case.duckdb", query_set) as connection:
        assert len(connection.execute(hunt.sql, {"min_minutes": 5}).fetchall()) == 1


def stopped_and_booted() -> list[Record]:
    """1100 is record 5, a boot's 4608 record 6 if it is there, and 60 more follow."""
    records = make_records(70)
    eventlog = Provider("Microsoft-Windows-Eventlog", "fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148")
    records[4] = replace(records[4], provider=eventlog, event_id=1100)
    records[5] = replace(records[5], event_id=4608)
    return records


@pytest.mark.parametrize("has_boot", [True, False])
def test_a_stop_whose_record_is_a_copy_is_judged_by_what_its_file_has_next(
    has_boot: bool, look: Look, tmp_path: Path, query_set: QuerySet
) -> None:
    records = stopped_and_booted()
    if not has_boot:
        records[5] = make_records(6)[5]
    look(early=build_log(records[:5]), late=build_log(records))
    (detection,) = [query for query in query_set.queries if query.id == "event_log_stopped"]
    with open_case(tmp_path / "case.duckdb", query_set) as connection:
        run = run_detection(connection, detection, None)
    assert [finding.evidence for finding in run.findings or ()] == ([] if has_boot else [(5, 11)])


def test_a_renamed_computer_is_known_from_a_file_whose_old_records_are_copies(
    tmp_path: Path, query_set: QuerySet
) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    old, new = make_records(5, "OLD"), make_records(9, "NEW")[5:]
    (folder / "a.evtx").write_bytes(build_log(old))
    (folder / "b.evtx").write_bytes(build_log([*old, *new]))
    ingest([folder], tmp_path / "case.duckdb")
    correlate(tmp_path / "case.duckdb", query_set)
    assert rows(
        tmp_path / "case.duckdb",
        "SELECT computer, value, records FROM host_identity WHERE kind = 'other name' ORDER BY ALL",
    ) == [("new", "old", 5), ("old", "new", 4)]
