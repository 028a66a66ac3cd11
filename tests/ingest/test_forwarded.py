"""Logs of a collector (ForwardedEvents): many computers in one file, numbered anew, with their rendered text."""

from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from evtxhunt.binxml import RecordRenderer
from evtxhunt.chunk import FILE_HEADER_SIZE, walk_chunk
from evtxhunt.fast_parser import FastParser
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.verify import verify
from samples.events import Record
from samples.evtx_writer import build_log
from tests.logs import make_log, make_records, rows

COMPUTERS = ("DC1.example.test", "SRV01.example.test", "WS07.example.test")


def forwarded() -> list[Record]:
    """Four records of each computer as they arrive: in turn, with their own EventRecordIDs, headers counted from 1."""
    in_turn = zip(*(make_records(4, name) for name in COMPUTERS), strict=True)
    return [
        replace(record, header_record_id=number, rendering=(("Message", f"An account was logged on {number}."),))
        for number, record in enumerate(chain.from_iterable(in_turn), start=1)
    ]


@pytest.fixture
def case(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "ForwardedEvents.evtx").write_bytes(build_log(forwarded()))
    ingest([folder], tmp_path / "case.duckdb")
    return tmp_path / "case.duckdb"


def test_each_computer_of_a_collectors_log_is_its_own_host_with_its_own_numbers(case: Path) -> None:
    assert rows(
        case,
        "SELECT host, computer, channel, min(event_record_id), max(event_record_id), count(*) FROM event"
        " GROUP BY ALL ORDER BY 1",
    ) == [(name, name, "Security", 1, 4, 4) for name in COMPUTERS]
    assert rows(case, "SELECT list(header_record_id ORDER BY header_record_id) FROM event") == [(list(range(1, 13)),)]


def test_rendered_text_of_the_collector_is_kept(case: Path) -> None:
    texts = rows(case, "SELECT rendering_info ->> '$.Message' FROM event ORDER BY header_record_id")
    assert texts == [(f"An account was logged on {number}.",) for number in range(1, 13)]


def test_a_record_of_the_collector_and_of_the_computer_is_one_event(case: Path, tmp_path: Path) -> None:
    (tmp_path / "SRV01.evtx").write_bytes(make_log(4, COMPUTERS[1]))
    summary = ingest([tmp_path / "SRV01.evtx"], case)
    assert (summary.events, summary.conflicts) == (0, 0)
    assert rows(case, "SELECT count(*) FROM event") == [(12,)]
    assert rows(case, "SELECT count(*), count(DISTINCT event_key) FROM event_copy") == [(4, 4)]
    assert verify(case).differences == ()


def test_both_parsers_read_forwarded_records_alike() -> None:
    chunk = build_log(forwarded())[FILE_HEADER_SIZE:]
    walk = walk_chunk(chunk)
    renderer = RecordRenderer(chunk)
    assert [renderer.render(header.offset, header.size).text for header in walk.headers(chunk)] == (
        FastParser().render(chunk, "", 0, walk.live_end).texts
    )
