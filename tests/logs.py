"""Small real logs for tests, written by samples.evtx_writer."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from samples import values
from samples.events import EventData, Provider, Record
from samples.evtx_writer import build_log

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def make_records(count: int, computer: str = "WS01.example.test", text: str = "") -> list[Record]:
    """`count` Security 4624 records a second apart, each with its number as TargetUserName."""
    provider = Provider("Microsoft-Windows-Security-Auditing", "54849625-5478-4994-a5ba-3e3b0328c30d")
    return [
        Record(
            provider=provider,
            event_id=4624,
            version=0,
            level=0,
            task=12544,
            opcode=0,
            keywords=0x8020000000000000,
            time=values.filetime_from(START + timedelta(seconds=number)),
            record_id=number,
            channel="Security",
            computer=computer,
            process_id=4,
            thread_id=8,
            payload=EventData((("TargetUserName", values.string(f"user{number}{text}")),)),
        )
        for number in range(1, count + 1)
    ]


def make_log(count: int, computer: str = "WS01.example.test", text: str = "") -> bytes:
    """A log of `count` records."""
    return build_log(make_records(count, computer, text))


def rows(case: Path, sql: str) -> list[tuple[object, ...]]:
    """What a case answers, asked with plain DuckDB."""
    with duckdb.connect(case, read_only=True) as connection:
        return connection.execute(sql).fetchall()
