"""What a report says around its findings: names of hosts, what the logs cover, clocks, chains of hops, what was run."""

from collections.abc import Mapping, Sequence

import duckdb

from evtxhunt.model import ReportSession
from evtxhunt.report_model import ReportCoverage, ReportPath, ReportRun, ReportSkew

_MOST_PATHS = 500


def places_of(connection: duckdb.DuckDBPyConnection) -> tuple[tuple[str, str], ...]:
    """Each computer of the case in lower case with its host, in alphabetical order."""
    return tuple(
        connection.execute(
            "SELECT computer, host FROM computer_name WHERE host IS NOT NULL ORDER BY computer"
        ).fetchall()
    )


def coverage_of(connection: duckdb.DuckDBPyConnection, limits: Mapping[str, object]) -> tuple[ReportCoverage, ...]:
    """What each log of the hosts in scope could have shown, whenever that was."""
    rows = connection.execute(
        """
        SELECT computer, place.host, channel, records, first_time, last_time, missing_records, cleared_time,
            is_absent, notes
        FROM log_coverage LEFT JOIN computer_name AS place USING (computer)
        WHERE $only_host IS NULL OR lower(place.host) = lower($only_host) ORDER BY computer, channel
        """,
        {"only_host": limits["only_host"]},
    ).fetchall()
    return tuple(ReportCoverage(*row) for row in rows)


def skews_of(connection: duckdb.DuckDBPyConnection) -> tuple[ReportSkew, ...]:
    """Differences between clocks, of the whole case."""
    rows = connection.execute(
        "SELECT computer, other_computer, seconds_ahead, least_seconds, most_seconds, pairs, basis, is_skewed"
        " FROM clock_skew ORDER BY computer, other_computer, basis"
    ).fetchall()
    return tuple(ReportSkew(*row) for row in rows)


def paths_of(connection: duckdb.DuckDBPyConnection, sessions: Sequence[ReportSession]) -> tuple[ReportPath, ...]:
    """The longest chains that begin in one of the sessions."""
    rows = connection.execute(
        "SELECT path_id, entry_session_id, hop_ids, computers, user_names, methods, is_failed FROM hop_path"
        " WHERE is_longest AND list_contains($sessions, entry_session_id) ORDER BY path_id LIMIT $most",
        {"sessions": [session.session_id for session in sessions], "most": _MOST_PATHS},
    ).fetchall()
    return tuple(
        ReportPath(number, entry, tuple(hops), tuple(computers), tuple(users), tuple(methods), is_failed)
        for number, entry, hops, computers, users, methods, is_failed in rows
    )


def runs_of(connection: duckdb.DuckDBPyConnection) -> tuple[ReportRun, ...]:
    """Every ingest, and the last run of the detections: what was done to the case, without the time of day."""
    rows = connection.execute(
        "SELECT command, arguments, versions, rule_set_sha256 FROM run"
        " WHERE ended_at IS NOT NULL AND (command <> 'detect' OR run_id ="
        " (SELECT max(run_id) FROM run WHERE command = 'detect' AND ended_at IS NOT NULL)) ORDER BY run_id"
    ).fetchall()
    return tuple(ReportRun(*row) for row in rows)
