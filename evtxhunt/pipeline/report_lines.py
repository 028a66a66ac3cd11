"""The story of a report: the lines of the hunt `timeline` and the findings, the most telling ones first to be kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import duckdb

from evtxhunt.detect import find_query
from evtxhunt.model import ReportFinding
from evtxhunt.pipeline.query import QuerySet
from evtxhunt.pipeline.report_records import LONGEST_NAME, MOST_RECORDS_EACH, RecordPicker, cut_sql
from evtxhunt.report_model import ReportLine

# A browser must open the report; `evtxhunt timeline` tells the rest.
MOST_LINES = 100_000
_LONGEST_LINE = 1_000  # characters; the records behind it have all of it

# What is kept when not all can be: sessions and hops, what ran in them, then what changes a system, then all else.
_RANK = """CASE WHEN kind IN ('session', 'hop', 'log cleared') THEN 0 WHEN session_id IS NOT NULL THEN 1
    WHEN kind IN ('account', 'service', 'scheduled task', 'explicit credential', 'script block') THEN 2
    WHEN kind IN ('process', 'logon failure') THEN 3 ELSE 4 END"""
_EARLIEST, _LATEST = datetime(1, 1, 1), datetime(9999, 1, 1)

_Row = tuple[datetime, str | None, str | None, str, str | None, str, int | None, list[int], int]


class Lines:
    """The chosen lines, before and after the records that they cite are read.

    All lines of one window are gathered once a connection: reports on several hosts share them.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        query_set: QuerySet,
        limits: Mapping[str, object],
        room: int,
    ) -> None:
        hunt = find_query(query_set.queries, "timeline")
        values = {
            "host": "",
            "user": "",
            "session_id": 0,
            "from_time": limits["start"] or _EARLIEST,
            "to_time": limits["end"] or _LATEST,
            "routine": False,
        }
        connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS report_line AS"
            " SELECT row_number() OVER (ORDER BY event_time, kind <> 'session', kind, text, event_keys) AS line_number,"
            " event_time, computer,"
            f" kind, {cut_sql('user_name', LONGEST_NAME)} AS user_name, {cut_sql('text', _LONGEST_LINE)} AS text,"
            f" session_id, event_keys[:{MOST_RECORDS_EACH}] AS event_keys, len(event_keys) AS record_count, place.host"
            f" FROM ({hunt.sql}) LEFT JOIN computer_name AS place USING (computer) WHERE kind <> 'finding'",
            values,
        )
        scope = "FROM report_line WHERE $only_host IS NULL OR lower(host) = lower($only_host)"
        host = {"only_host": limits["only_host"]}
        self.kinds: list[tuple[str, int]] = connection.execute(
            f"SELECT kind, count(*) {scope} GROUP BY kind ORDER BY kind", host
        ).fetchall()
        self._rows: list[_Row] = connection.execute(
            f"""
            SELECT event_time, computer, host, kind, user_name, text, session_id, event_keys, record_count
            FROM (SELECT * {scope} ORDER BY {_RANK}, line_number LIMIT {room}) ORDER BY line_number
            """,
            host,
        ).fetchall()

    def want(self, picker: RecordPicker) -> None:
        """Asks for the records behind the lines."""
        for row in self._rows:
            picker.want(row[7], 2)

    def make(
        self,
        picker: RecordPicker,
        findings: Sequence[ReportFinding],
        session_of: Mapping[int, int],
        channels: Sequence[str | None],
    ) -> tuple[ReportLine, ...]:
        """The lines with the findings between them, in order of time; `channels` are those of the read records."""
        lines = [_finding_line(finding, session_of, channels) for finding in findings]
        for time, computer, host, kind, user_name, text, session_id, event_keys, record_count in self._rows:
            records = picker.place(event_keys)
            channel = channels[records[0]] if records else None
            lines.append(
                ReportLine(
                    time,
                    computer,
                    host,
                    channel,
                    kind,
                    user_name,
                    text,
                    session_id,
                    None,
                    records,
                    record_count,
                )
            )
        # Python's sort is stable: findings stand before other lines of the same moment, the rest keep their order.
        return tuple(sorted(lines, key=lambda line: (line.event_time is None, line.event_time or _LATEST)))


def _finding_line(finding: ReportFinding, session_of: Mapping[int, int], channels: Sequence[str | None]) -> ReportLine:
    sessions = [session_of[record] for record in finding.records if record in session_of]
    return ReportLine(
        event_time=finding.event_time,
        computer=finding.computer.lower() if finding.computer is not None else None,
        host=finding.host,
        channel=channels[finding.records[0]] if finding.records else None,
        kind="finding",
        user_name=finding.user_name,
        text=f"{finding.title}: {finding.summary}"[: 2 * _LONGEST_LINE],
        session_id=min(sessions, default=None),
        finding_id=finding.finding_id,
        records=finding.records,
        record_count=finding.record_count,
    )


def room_for(findings: int) -> int:
    """How many lines fit beside so many findings."""
    return max(0, MOST_LINES - findings)
