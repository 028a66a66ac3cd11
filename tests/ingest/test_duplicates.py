"""A record that several logs hold is one event with copies; different records of one number are both kept."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import evtxhunt.pipeline.ingest as stage
from evtxhunt import __version__
from evtxhunt.cli import app
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.verify import verify
from evtxhunt.store import open_store
from samples import values
from samples.events import EventData, Record
from samples.evtx_writer import CHUNK_SIZE, FILE_HEADER_SIZE, build_log, renumber_as_export
from tests.logs import START, make_records, rows

Case = Callable[..., Path]


@pytest.fixture
def case_of(tmp_path: Path) -> Case:
    """Ingests logs, in the order of their names, and gives the case, which must agree with itself."""

    def make(**logs: bytes) -> Path:
        folder = tmp_path / "evidence"
        folder.mkdir(exist_ok=True)
        for name, content in logs.items():
            (folder / f"{name}.evtx").write_bytes(content)
        ingest([folder], tmp_path / "case.duckdb")
        assert verify(tmp_path / "case.duckdb").differences == ()
        return tmp_path / "case.duckdb"

    return make


def changed(record: Record, **changes: Any) -> Record:
    """The record with another user, or what else is given."""
    return replace(record, **(changes or {"payload": EventData((("TargetUserName", values.string("mallory")),))}))


def events_and_copies(case: Path) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """(event_key, log, header_record_id) of all events; the same of all copies. Logs are numbered from 1."""
    return tuple(  # type: ignore[return-value]  # two lists
        rows(case, f"SELECT event_key, source_file_id, header_record_id FROM {table} ORDER BY ALL")
        for table in ("event", "event_copy")
    )


def conflicts(case: Path) -> list[tuple[object, ...]]:
    return rows(case, "SELECT event_key, other_event_key FROM event_conflict ORDER BY ALL")


def test_overlapping_logs_have_each_record_once(case_of: Case) -> None:
    case = case_of(a=build_log(make_records(5)), b=build_log(make_records(8)[2:]))
    assert events_and_copies(case) == (
        [(1, 1, 1), (2, 1, 2), (3, 1, 3), (4, 1, 4), (5, 1, 5), (9, 2, 6), (10, 2, 7), (11, 2, 8)],
        [(3, 2, 3), (4, 2, 4), (5, 2, 5)],
    )
    assert rows(case, "SELECT parsed, duplicate FROM source_file ORDER BY path") == [(5, 0), (6, 3)]
    assert conflicts(case) == []


def test_ingest_tells_what_was_seen_before_and_what_conflicts(tmp_path: Path) -> None:
    records = make_records(5)
    (tmp_path / "a.evtx").write_bytes(build_log(records))
    (tmp_path / "b.evtx").write_bytes(build_log([changed(records[1]), *records[2:]]))
    (tmp_path / "c.evtx").write_bytes(build_log(records[:3]))
    result = CliRunner().invoke(app, ["ingest", str(tmp_path), "--case", str(tmp_path / "case.duckdb")])
    assert result.stderr.splitlines()[:5] == [
        f"6 events from 3 logs (0.2 MB) into {tmp_path / 'case.duckdb'}",
        "6 records seen before, kept as copies (table event_copy):",
        f"  {tmp_path / 'b.evtx'}: 3 of {tmp_path / 'a.evtx'}",
        f"  {tmp_path / 'c.evtx'}: 3 of {tmp_path / 'a.evtx'}",
        "CONFLICTS: 1 record of a number that another record of the same computer and log has, of other time or"
        ' content: evtxhunt sql "FROM record_conflict"',
    ]


def test_typed_values_and_their_text_in_a_forwarded_record_are_the_same(case_of: Case) -> None:
    (record,) = make_records(1)
    guid = "0f5d9c4e-1111-2222-3333-444455556666"
    typed = (("A", values.uint32(3)), ("B", values.boolean(True)), ("C", values.guid(guid)), ("D", values.string("")))
    texts = (("A", "3"), ("B", "true"), ("C", f"{{{guid.upper()}}}"), ("D", ""))
    other = (("A", "4"), ("B", "true"), ("C", f"{{{guid.upper()}}}"), ("D", ""))
    case = case_of(
        a=build_log([changed(record, payload=EventData(typed))]),
        b=build_log([changed(record, payload=EventData(tuple((name, values.string(text)) for name, text in texts)))]),
        c=build_log([changed(record, payload=EventData(tuple((name, values.string(text)) for name, text in other)))]),
    )
    assert rows(case, "SELECT event_data FROM event WHERE event_key = 1") == [
        (f'{{"A":3,"B":true,"C":"{guid.upper()}","D":""}}',)
    ]
    assert (events_and_copies(case)[1], conflicts(case)) == ([(1, 2, 1)], [(1, 3)])


def test_a_log_of_copies_alone_has_its_channel_and_computer(case_of: Case) -> None:
    case = case_of(a=build_log(make_records(5)), b=build_log(make_records(3)))
    assert rows(case, "SELECT channel, computer, parsed, duplicate FROM source_file WHERE source_file_id = 2") == [
        ("Security", "WS01.example.test", 3, 3)
    ]


def test_an_export_and_the_computers_name_in_capitals_are_the_same_record(case_of: Case) -> None:
    records = make_records(9)
    case = case_of(
        a=build_log(records),
        b=build_log(renumber_as_export(records[6:])),
        c=build_log(make_records(2, "ws01.EXAMPLE.test")),
    )
    assert events_and_copies(case)[1] == [(1, 3, 1), (2, 3, 2), (7, 2, 1), (8, 2, 2), (9, 2, 3)]


@pytest.mark.parametrize(
    "other",
    [
        {"computer": "WS02.example.test"},
        {"channel": "Setup"},
        {"record_id": 77},
    ],
)
def test_another_computer_channel_or_number_is_another_record(case_of: Case, other: dict[str, Any]) -> None:
    records = make_records(3)
    case = case_of(a=build_log(records), b=build_log([changed(records[1], **other)]))
    assert (len(events_and_copies(case)[0]), events_and_copies(case)[1], conflicts(case)) == (4, [], [])


def test_what_has_no_number_is_never_merged(case_of: Case) -> None:
    nameless = [changed(record, record_id=0) for record in make_records(2)]
    case = case_of(
        a=build_log(renumber_as_export(nameless)), b=build_log(renumber_as_export(nameless + make_records(1)))
    )
    assert (len(events_and_copies(case)[0]), events_and_copies(case)[1], conflicts(case)) == (5, [], [])


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"event_id": 4625},
        {"thread_id": 9},
        {"time": values.filetime_from(START + timedelta(days=3))},
    ],
)
def test_another_content_or_time_under_one_number_is_a_conflict(case_of: Case, other: dict[str, Any]) -> None:
    records = make_records(5)
    case = case_of(a=build_log(records), b=build_log([*records[:3], changed(records[3], **other), records[4]]))
    assert events_and_copies(case)[1] == [(1, 2, 1), (2, 2, 2), (3, 2, 3), (5, 2, 5)]
    assert conflicts(case) == [(4, 9)]


def test_each_conflict_is_paired_with_the_first_of_its_time_and_of_all(case_of: Case) -> None:
    (first,) = make_records(1)
    later = changed(first, time=values.filetime_from(START + timedelta(days=3)))
    forged = changed(later)
    case = case_of(a=build_log([first]), b=build_log([later]), c=build_log([forged]), d=build_log([later]))
    assert conflicts(case) == [(1, 2), (2, 3)]
    assert rows(case, "SELECT copy_of FROM source_file WHERE source_file_id = 4") == [(2,)]


def test_a_chunk_that_is_there_twice_is_counted_once(case_of: Case) -> None:
    log = build_log(make_records(20))
    twice = bytearray(log + log[FILE_HEADER_SIZE:])
    assert len(twice) == FILE_HEADER_SIZE + 2 * CHUNK_SIZE
    case = case_of(a=bytes(twice))
    found, copies = events_and_copies(case)
    assert [row[0] for row in found] == list(range(1, 21))
    assert copies == [(number, 1, number) for number in range(1, 21)]
    assert rows(case, "SELECT parsed, duplicate FROM source_file") == [(40, 20)]


def test_equal_records_of_one_log_with_headers_of_their_own_are_two_events(case_of: Case) -> None:
    (record,) = make_records(1)
    twice = build_log(renumber_as_export([record, record]))
    case = case_of(a=twice, b=build_log([record]))
    assert events_and_copies(case) == ([(1, 1, 1), (2, 1, 2)], [(1, 2, 1)])
    assert conflicts(case) == []


def test_a_copy_of_a_log_has_a_row_for_records_whose_event_is_in_a_third(case_of: Case) -> None:
    longer = build_log(make_records(5))
    case = case_of(a=build_log(make_records(3)), b=longer, c=longer)
    assert rows(case, "SELECT event_key, source_file_id FROM event_copy WHERE source_file_id = 3 ORDER BY ALL") == [
        (1, 3),
        (2, 3),
        (3, 3),
        (7, 3),
        (8, 3),
    ]
    assert rows(case, "SELECT status, duplicate FROM source_file ORDER BY path") == [
        ("complete", 0),
        ("complete", 3),
        ("copy", 5),
    ]


def test_the_next_keys_are_free_after_the_last_records_became_copies(case_of: Case) -> None:
    case_of(a=build_log(make_records(5)), b=build_log(make_records(4)))
    case = case_of(c=build_log(make_records(2, "WS02.example.test")))
    assert rows(case, "SELECT list(event_key ORDER BY event_key) FROM event") == [([1, 2, 3, 4, 5, 10, 11],)]


def test_a_live_record_takes_the_place_of_one_from_slack(case_of: Case, tmp_path: Path) -> None:
    records = make_records(5)
    case = case_of(a=build_log([*records[:2], changed(records[2])]), b=build_log([changed(records[2]), *records[4:]]))
    assert (conflicts(case), events_and_copies(case)[1]) == ([], [(3, 2, 3)])
    with open_store(case, "1GB", __version__) as store, store.transaction():
        for statement in (
            "UPDATE event SET origin = 'slack' WHERE source_file_id = 1",
            "UPDATE source_file SET slack = 3, parsed = 0, expected = 0 WHERE source_file_id = 1",
            "INSERT INTO recovered_record SELECT 1, 'slack', 0, record_offset, 0, header_record_id, NULL, 'whole',"
            " NULL, NULL, event_key FROM event WHERE source_file_id = 1",
            "INSERT INTO finding_evidence VALUES (1, 1), (1, 3)",
            "INSERT INTO finding BY NAME SELECT 1 AS finding_id, 'query' AS origin, 'x' AS detection_id, 'x' AS title,"
            " 'low' AS level, [] AS attack, 'x' AS summary",
        ):
            store.connection.execute(statement)
    assert case_of(c=build_log(records[:3] + records[4:])) == case
    assert events_and_copies(case) == (
        [(3, 1, 3), (5, 2, 5), (6, 3, 1), (7, 3, 2), (8, 3, 3)],
        [(3, 2, 3), (5, 3, 5), (6, 1, 1), (7, 1, 2)],
    )
    assert conflicts(case) == [(3, 8)]
    assert rows(case, "SELECT parsed, slack, duplicate FROM source_file ORDER BY path") == [
        (0, 3, 2),
        (2, None, 1),
        (4, None, 1),
    ]
    assert rows(case, "SELECT event_key FROM recovered_record ORDER BY ALL") == [(3,), (6,), (7,)]
    assert rows(case, "SELECT event_key FROM finding_evidence ORDER BY ALL") == [(3,), (6,)]


def everything(case: Path) -> dict[str, list[tuple[object, ...]]]:
    tables = ("event", "event_copy", "event_conflict", "record_span", "source_file", "parse_failure")
    return {table: rows(case, f"SELECT * FROM {table} ORDER BY ALL") for table in tables}


@pytest.mark.parametrize("load_files", [1, 2, 3])
def test_the_loads_in_which_logs_come_make_no_difference(
    load_files: int, case_of: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = make_records(30)
    forged = [changed(record) if record.record_id % 7 == 0 else record for record in records]
    twice = [*records[:4], *records[:4]]

    def logs(*parts: Sequence[Record]) -> dict[str, bytes]:
        return {f"{number}": build_log(part) for number, part in enumerate(parts)}

    case = case_of(
        **logs(
            records[:10],
            forged[5:20],
            renumber_as_export(twice),
            make_records(5, "WS02.example.test"),
            records[2:25],
            forged,
            forged[5:20],
            renumber_as_export(twice),
        )
    )
    assert len(rows(case, "FROM event_copy")) == 76
    assert conflicts(case) == [(7, 12), (19, 50), (57, 82)]
    monkeypatch.setattr(stage, "_LOAD_FILES", load_files)
    ingest([tmp_path / "evidence"], tmp_path / "parts.duckdb")
    assert everything(tmp_path / "parts.duckdb") == everything(case)
