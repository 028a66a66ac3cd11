"""What a report says of remoting: sessions, second hops, and the security page statement by statement."""

from collections.abc import Mapping

import duckdb

from evtxhunt.detect import find_query
from evtxhunt.model import ReportHop, ReportSession, ReviewLine
from evtxhunt.pipeline.query import QuerySet
from evtxhunt.pipeline.report_records import MOST_RECORDS_EACH, RecordPicker

# A browser must open the report: it shows the first so many of each and says how many there are.
MOST_SESSIONS = 500

_SCOPE = """
    ($start IS NULL OR {time} >= $start) AND ($end IS NULL OR {time} < $end)
        AND ($only_host IS NULL OR lower(place.host) = lower($only_host))
"""
_SESSIONS = f"""
    WITH witness AS (
        SELECT session_id, count(DISTINCT event_key) AS record_count,
            name_list(list(citation.words || CASE WHEN citation.computer <> session.target_computer
                THEN ' on ' || short_host(citation.computer) ELSE '' END), 5) AS records
        FROM remoting_session AS session JOIN remoting_witness USING (session_id) JOIN citation USING (event_key)
        GROUP BY session_id
    ),
    missing AS (
        SELECT session_id, string_agg(replace(role, '_', ' ') || ': ' || reason, '; ' ORDER BY role, channel) AS missing
        FROM remoting_gap WHERE NOT is_seen GROUP BY session_id
    )
    SELECT session_id, kind, start_time, end_time, end_reason, coalesce(source_computer, source_ip), target_computer,
        account(user_domain, user_name), run_as_user_name, authentication_package, script_blocks, commands,
        child_processes, confidence, reason, records, coalesce(record_count, 0), missing
    FROM remoting_session AS session LEFT JOIN witness USING (session_id) LEFT JOIN missing USING (session_id)
    LEFT JOIN computer_name AS place ON place.computer = target_computer
    WHERE {_SCOPE.format(time="start_time")}
    ORDER BY session_id
"""
_HOPS = f"""
    WITH cited AS (
        SELECT hop_id, name_list(list(citation.words || CASE WHEN citation.computer <> hop.via_computer
            THEN ' on ' || short_host(citation.computer) ELSE '' END), 5) AS records
        FROM (SELECT hop_id, via_computer, unnest(event_keys) AS event_key FROM hop) AS hop
        JOIN citation USING (event_key) GROUP BY hop_id
    )
    SELECT hop_id, event_time, from_session_id, to_session_id, source_computer, via_computer, to_computer, method,
        user_name, next_user_name, is_failed, confidence, reason, records, list_sort(event_keys)
    FROM hop LEFT JOIN cited USING (hop_id) LEFT JOIN computer_name AS place ON place.computer = via_computer
    WHERE {_SCOPE.format(time="event_time")}
    ORDER BY hop_id
"""


def sessions_of(
    connection: duckdb.DuckDBPyConnection, limits: Mapping[str, object]
) -> tuple[tuple[ReportSession, ...], int]:
    """The first MOST_SESSIONS remoting sessions in scope, in order of time, and how many there are; tables are made."""
    rows = connection.execute(_SESSIONS, dict(limits)).fetchall()
    return tuple(ReportSession(*row) for row in rows[:MOST_SESSIONS]), len(rows)


class Hops:
    """The first MOST_SESSIONS second hops in scope, in order of time, before and after their records are read."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, limits: Mapping[str, object]) -> None:
        rows = connection.execute(_HOPS, dict(limits)).fetchall()
        self.count = len(rows)
        self._rows = rows[:MOST_SESSIONS]

    def want(self, picker: RecordPicker) -> None:
        """Asks for the records behind the hops."""
        for row in self._rows:
            picker.want(row[-1][:MOST_RECORDS_EACH], 0)

    def make(self, picker: RecordPicker) -> tuple[ReportHop, ...]:
        """The hops; the correlated tables are made."""
        return tuple(ReportHop(*(*row[:-1], picker.place(row[-1][:MOST_RECORDS_EACH]))) for row in self._rows)


def review_of(connection: duckdb.DuckDBPyConnection, query_set: QuerySet) -> tuple[ReviewLine, ...]:
    """The answers of the hunt winrm_security_review, for the whole case."""
    sql = find_query(query_set.queries, "winrm_security_review").sql
    rows = connection.execute(
        f"SELECT number, statement, verdict, because, len(event_keys) FROM ({sql}) ORDER BY number"
    )
    return tuple(ReviewLine(*row) for row in rows.fetchall())
