"""Case to report: runs the detections if they are not up to date, then gathers what the report shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import duckdb

from evtxhunt import __version__
from evtxhunt.model import (
    ChannelCount,
    Level,
    Report,
    ReportDetection,
    ReportFailure,
    ReportFinding,
    ReportRecord,
    ReportSource,
    SkippedFile,
)
from evtxhunt.pipeline.manifest import DEFAULT_MEMORY_LIMIT
from evtxhunt.pipeline.query import QuerySet, allowed_sql, correlate, detect, open_case, rule_set_sha256
from evtxhunt.pipeline.redaction import redact_case
from evtxhunt.pipeline.report_remoting import hops_of, review_of, sessions_of
from evtxhunt.redact import What
from evtxhunt.render.html import render_html
from evtxhunt.render.markdown import render_markdown
from evtxhunt.render.overrides import template_folders
from evtxhunt.resources import shipped_folder

# A report is one file that a browser must open: it shows at most so much and says what it leaves out.
_MOST_FINDINGS = 10_000
_MOST_RECORDS_EACH = 25
_MOST_FAILURES = 1_000


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What a report is limited to, and how it shows times. start and end are naive UTC, end is not included."""

    start: datetime | None = None
    end: datetime | None = None
    host: str | None = None
    time_zone: str = "UTC"
    form: Literal["html", "markdown"] = "html"
    redact: frozenset[What] = frozenset()
    redact_key: Path | None = None  # where the way back from pseudonyms to names is kept
    templates: Path | None = None  # files that stand in for those of ours with the same name


def write_report(
    case: Path,
    query_set: QuerySet,
    options: ReportOptions,
    *,
    memory_limit: str = DEFAULT_MEMORY_LIMIT,
) -> str:
    """The text of a case's report. Runs the detections first unless their findings are up to date. Raises CaseError."""
    templates = template_folders(options.templates, shipped_folder("templates"))  # errors before the work
    ensure_detected(case, query_set, memory_limit=memory_limit)
    report = gather_report(case, query_set, options, memory_limit=memory_limit)
    if options.redact:
        with open_case(case, query_set, memory_limit=memory_limit) as connection:
            report = redact_case(connection, report, options.redact, options.redact_key)
    if options.form == "markdown":
        return render_markdown(report)
    return render_html(report, templates)


def gather_report(
    case: Path, query_set: QuerySet, options: ReportOptions, *, memory_limit: str = DEFAULT_MEMORY_LIMIT
) -> Report:
    """All that a report shows, from the stored findings. Raises CaseError."""
    correlate(case, query_set, memory_limit=memory_limit)
    with open_case(case, query_set, memory_limit=memory_limit) as connection:
        return _gather(connection, case, query_set, options)


def ensure_detected(case: Path, query_set: QuerySet, *, memory_limit: str = DEFAULT_MEMORY_LIMIT) -> None:
    """Runs the detections unless their findings are up to date. Raises CaseError."""
    with open_case(case, query_set, memory_limit=memory_limit) as connection:
        row = connection.execute(
            "SELECT command, rule_set_sha256 FROM run WHERE command IN ('ingest', 'detect')"
            " ORDER BY run_id DESC LIMIT 1"
        ).fetchone()
    if row != ("detect", rule_set_sha256(query_set)):
        detect(case, query_set, memory_limit=memory_limit)


def _gather(connection: duckdb.DuckDBPyConnection, case: Path, query_set: QuerySet, options: ReportOptions) -> Report:
    limits = {"start": options.start, "end": options.end, "only_host": options.host}
    sources = _sources(connection)
    source_index = {source.source_file_id: index for index, source in enumerate(sources)}
    findings, records, finding_count = _findings(connection, source_index, limits)
    sessions, session_count = sessions_of(connection, limits)
    hops, hop_count = hops_of(connection, limits)
    allowed = connection.execute(allowed_sql(_in_scope("finding")), limits).fetchall()
    failures = connection.execute(
        "SELECT source_file_id, scope, chunk, file_offset, header_record_id, reason FROM parse_failure"
        " ORDER BY source_file_id, chunk NULLS FIRST, file_offset NULLS LAST, header_record_id LIMIT ?",
        [_MOST_FAILURES],
    ).fetchall()
    events, first, last = _one(
        connection,
        f"SELECT count(*), min(event_time), max(event_time) FROM event AS e WHERE {_in_scope('e')}",
        limits,
    )
    channels = connection.execute(
        f"SELECT host, channel, count(*), min(event_time), max(event_time) FROM event AS e WHERE {_in_scope('e')}"
        " GROUP BY ALL ORDER BY host NULLS LAST, channel NULLS LAST",
        limits,
    ).fetchall()
    (failure_count,) = _one(connection, "SELECT count(*) FROM parse_failure")
    skipped = connection.execute("SELECT path, reason, size FROM skipped_file ORDER BY path").fetchall()
    return Report(
        title=case.stem,
        version=__version__,
        time_zone=options.time_zone,
        window=(options.start, options.end),
        only_host=options.host,
        event_count=events,
        first_time=first,
        last_time=last,
        channels=tuple(ChannelCount(*row) for row in channels),
        findings=findings,
        finding_count=finding_count,
        sessions=sessions,
        session_count=session_count,
        hops=hops,
        hop_count=hop_count,
        review=review_of(connection, query_set),
        allowed=tuple(allowed),
        records=records,
        sources=sources,
        failures=tuple(ReportFailure(source_index[row[0]], *row[1:]) for row in failures),
        failure_count=failure_count,
        skipped=tuple(SkippedFile(Path(path), reason, size) for path, reason, size in skipped),
        detections=_detections(connection, query_set),
    )


def _in_scope(alias: str) -> str:
    return (
        f"($start IS NULL OR {alias}.event_time >= $start) AND ($end IS NULL OR {alias}.event_time < $end)"
        f" AND ($only_host IS NULL OR {alias}.host = $only_host)"
    )


def _findings(
    connection: duckdb.DuckDBPyConnection, source_index: Mapping[int, int], limits: Mapping[str, object]
) -> tuple[tuple[ReportFinding, ...], tuple[ReportRecord, ...], int]:
    """The findings in scope, worst levels first if there are too many, in time order; and the records behind them."""
    shown = f"{_in_scope('f')} AND f.allowed_reason IS NULL"
    (finding_count,) = _one(connection, f"SELECT count(*) FROM finding AS f WHERE {shown}", limits)
    chosen = f"""
        SELECT f.* FROM finding AS f WHERE {shown}
        ORDER BY list_position(['critical', 'high', 'medium', 'low', 'informational'], f.level), f.finding_id
        LIMIT {_MOST_FINDINGS}
    """
    evidence = connection.execute(
        f"""
        WITH chosen AS ({chosen}),
        ranked AS (
            SELECT finding_id, event_key, count(*) OVER (PARTITION BY finding_id) AS record_count,
                row_number() OVER (PARTITION BY finding_id ORDER BY event_key) AS place
            FROM finding_evidence WHERE finding_id IN (SELECT finding_id FROM chosen)
        )
        SELECT finding_id, record_count, event_key, event_time, host, computer, channel, provider, event_id,
            event_record_id, user_sid, event_data, source_file_id, record_offset
        FROM ranked JOIN event USING (event_key) WHERE place <= {_MOST_RECORDS_EACH}
        ORDER BY event_key, finding_id
        """,
        limits,
    ).fetchall()
    records: dict[int, ReportRecord] = {}
    positions: dict[int, int] = {}
    behind: dict[int, tuple[list[int], int]] = {}
    for finding_id, record_count, key, *values, source_file_id, offset in evidence:
        if key not in positions:
            positions[key] = len(records)
            records[key] = ReportRecord(*(key, *values, source_index[source_file_id], offset))
        behind.setdefault(finding_id, ([], record_count))[0].append(positions[key])
    rows = connection.execute(
        "SELECT finding_id, detection_id, title, level, attack, event_time, host, computer, user_name, summary,"
        f" details FROM ({chosen}) ORDER BY finding_id",
        limits,
    ).fetchall()
    findings = tuple(ReportFinding(*(*row[:4], tuple(row[4]), *row[5:], *_behind(behind, row[0]))) for row in rows)
    return findings, tuple(records.values()), finding_count


def _behind(behind: Mapping[int, tuple[list[int], int]], finding_id: int) -> tuple[tuple[int, ...], int]:
    positions, count = behind.get(finding_id, ([], 0))
    return tuple(positions), count


def _sources(connection: duckdb.DuckDBPyConnection) -> tuple[ReportSource, ...]:
    rows = connection.execute(
        """
        SELECT s.source_file_id, s.path, s.sha256, s.size, s.status, s.copy_of, s.host, s.computer, s.channel,
            s.expected, s.parsed, s.failed, min(e.event_time), max(e.event_time)
        FROM source_file AS s LEFT JOIN event AS e ON e.source_file_id = coalesce(s.copy_of, s.source_file_id)
        GROUP BY ALL ORDER BY s.path, s.source_file_id
        """
    ).fetchall()
    return tuple(ReportSource(*row) for row in rows)


def _detections(connection: duckdb.DuckDBPyConnection, query_set: QuerySet) -> tuple[ReportDetection, ...]:
    results = {
        detection_id: (findings, error)
        for detection_id, findings, error in connection.execute(
            "SELECT detection_id, findings, error FROM detection_run"
        ).fetchall()
    }
    shown = []
    for query in query_set.of_kind("detection"):
        findings, error = results.get(query.id, (None, "did not run"))
        level: Level = query.level or "informational"
        shown.append(
            ReportDetection(
                query.id,
                query.title,
                level,
                query.description,
                query.attack,
                query.false_positives,
                query.references,
                findings,
                error,
                query.sql,
            )
        )
    return tuple(shown)


def _one(
    connection: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, object] | None = None
) -> tuple[Any, ...]:
    row = connection.execute(sql, values).fetchone() if values else connection.execute(sql).fetchone()
    assert row is not None  # aggregates always give one row
    return row
