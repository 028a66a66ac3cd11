"""Case to report: runs the detections if they are not up to date, then gathers what the report shows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import duckdb

from evtxhunt import __version__
from evtxhunt.case_file import COUNTED
from evtxhunt.errors import CaseError
from evtxhunt.model import (
    ChannelCount,
    Report,
    ReportFailure,
    ReportSource,
    ReviewLine,
    SkippedFile,
)
from evtxhunt.notes import read_notes
from evtxhunt.pipeline.manifest import DEFAULT_MEMORY_LIMIT
from evtxhunt.pipeline.query import (
    QuerySet,
    StepProgress,
    allowed_sql,
    correlate,
    counts_recovered,
    detect,
    findings_are_current,
    open_case,
)
from evtxhunt.pipeline.recovered import counts_by_origin
from evtxhunt.pipeline.redaction import redact_case
from evtxhunt.pipeline.report_context import coverage_of, paths_of, places_of, runs_of, skews_of
from evtxhunt.pipeline.report_findings import MOST_FINDINGS, Findings, detections_of, in_scope, rule_counts_of
from evtxhunt.pipeline.report_lines import Lines, room_for
from evtxhunt.pipeline.report_records import RecordPicker
from evtxhunt.pipeline.report_remoting import Hops, review_of, sessions_of
from evtxhunt.pipeline.report_scope import Scope
from evtxhunt.pipeline.report_sessions import SessionDetails
from evtxhunt.redact import What
from evtxhunt.render.html import render_html
from evtxhunt.render.markdown import render_markdown
from evtxhunt.render.overrides import template_folders
from evtxhunt.report_model import ReportNote
from evtxhunt.resources import shipped_folder

# A report is one file that a browser must open: it shows at most so much and says what it leaves out.
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
    notes: tuple[Path, ...] = ()  # files that pages exported; of two notes on one thing the later file's is shown


def write_report(
    case: Path,
    query_set: QuerySet,
    options: ReportOptions,
    *,
    memory_limit: str = DEFAULT_MEMORY_LIMIT,
    progress: StepProgress | None = None,
) -> str:
    """The text of a case's report. Runs the detections first unless their findings are up to date. Raises CaseError."""
    templates = template_folders(options.templates, shipped_folder("templates"))  # errors before the work
    ensure_detected(case, query_set, memory_limit=memory_limit, progress=progress)
    report = gather_report(case, query_set, options, memory_limit=memory_limit)
    if options.redact:
        with open_case(case, query_set, memory_limit=memory_limit) as connection:
            report = redact_case(connection, report, options.redact, options.redact_key)
    if options.form == "markdown":
        return render_markdown(report)
    return render_html(report, templates)


def write_host_reports(
    case: Path, query_set: QuerySet, hosts: Sequence[str], *, memory_limit: str = DEFAULT_MEMORY_LIMIT
) -> Iterator[str]:
    """The HTML report on each of the hosts, of a case whose findings and tables are up to date. Raises CaseError.

    The same texts as `write_report` gives for each, with what they share done once.
    """
    templates = template_folders(None, shipped_folder("templates"))
    with open_case(case, query_set, memory_limit=memory_limit) as connection:
        review = review_of(connection, query_set)
        for host in hosts:
            options = ReportOptions(host=host)
            yield render_html(_gather(connection, case, query_set, options, (), review), templates)


def gather_report(
    case: Path, query_set: QuerySet, options: ReportOptions, *, memory_limit: str = DEFAULT_MEMORY_LIMIT
) -> Report:
    """All that a report shows, from the stored findings. Raises CaseError, NotesError."""
    notes = read_notes(options.notes)
    correlate(case, query_set, memory_limit=memory_limit)
    with open_case(case, query_set, memory_limit=memory_limit) as connection:
        return _gather(connection, case, query_set, options, notes, review_of(connection, query_set))


def ensure_detected(
    case: Path,
    query_set: QuerySet,
    *,
    memory_limit: str = DEFAULT_MEMORY_LIMIT,
    progress: StepProgress | None = None,
) -> None:
    """Runs the detections unless their findings are up to date. Raises CaseError if those of Sigma rules are not."""
    with open_case(case, query_set, memory_limit=memory_limit) as connection:
        is_current = findings_are_current(connection, query_set)
        has_rules = connection.execute("SELECT count(*) FROM detection_run WHERE origin = 'sigma'").fetchone() != (0,)
    if not is_current:
        if has_rules:  # running without them would drop their findings
            raise CaseError(
                f"{case}: evidence or queries have changed since the Sigma rules ran; run `evtxhunt detect --rules`"
                " again, or `evtxhunt detect` to go on without them"
            )
        detect(case, query_set, memory_limit=memory_limit, progress=progress)


def _gather(
    connection: duckdb.DuckDBPyConnection,
    case: Path,
    query_set: QuerySet,
    options: ReportOptions,
    notes: tuple[ReportNote, ...],
    review: tuple[ReviewLine, ...],
) -> Report:
    limits = {"start": options.start, "end": options.end, "only_host": options.host}
    sources = _sources(connection)
    source_index = {source.source_file_id: index for index, source in enumerate(sources)}
    chosen = Findings(connection, limits)
    sessions, session_count = sessions_of(connection, limits)
    details = SessionDetails(connection, sessions)
    chosen_hops = Hops(connection, limits)
    picker = RecordPicker()
    chosen.want(picker)
    details.want(picker)
    chosen_hops.want(picker)
    chosen_lines = Lines(connection, query_set, limits, room_for(min(chosen.count, MOST_FINDINGS)))
    chosen_lines.want(picker)
    records = picker.read(connection, source_index)
    findings = chosen.make(picker)
    lines = chosen_lines.make(
        picker, findings, details.session_of_record(picker), [record.channel for record in records]
    )
    allowed = connection.execute(allowed_sql(in_scope("finding")), limits).fetchall()
    scope = Scope(connection, sources, records, options.host)
    failed = "FROM parse_failure WHERE list_contains(?::INTEGER[], source_file_id)"
    own_ids = [source.source_file_id for source in scope.sources]
    failures = connection.execute(
        f"SELECT source_file_id, scope, chunk, file_offset, header_record_id, reason {failed}"
        " ORDER BY source_file_id, chunk NULLS FIRST, file_offset NULLS LAST, header_record_id LIMIT ?",
        [own_ids, _MOST_FAILURES],
    ).fetchall()
    events, first, last = _one(
        connection,
        f"SELECT count(*), min(event_time), max(event_time) FROM counted_event AS e WHERE {in_scope('e')}",
        limits,
    )
    channels = connection.execute(
        # Where a log is silent is seen by these times: a record from slack or a carved one covers none.
        f"SELECT host, channel, count(*), min(event_time) FILTER ({COUNTED}), max(event_time) FILTER ({COUNTED})"
        f" FROM counted_event AS e WHERE {in_scope('e')}"
        " GROUP BY ALL ORDER BY host NULLS LAST, channel NULLS LAST",
        limits,
    ).fetchall()
    origins = counts_by_origin(connection)
    (failure_count,) = connection.execute(f"SELECT count(*) {failed}", [own_ids]).fetchall()[0]
    rows = connection.execute("SELECT path, reason, size FROM skipped_file ORDER BY path").fetchall()
    skipped = [SkippedFile(Path(path), reason, size) for path, reason, size in rows]
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
        finding_count=chosen.count,
        sessions=tuple(details.add_to(session, picker) for session in sessions),
        session_count=session_count,
        hops=chosen_hops.make(picker),
        hop_count=chosen_hops.count,
        review=review,
        allowed=tuple(allowed),
        records=scope.records(records),
        sources=scope.sources,
        failures=tuple(ReportFailure(scope.place[source_index[row[0]]], *row[1:]) for row in failures),
        failure_count=failure_count,
        skipped=scope.skipped(skipped),
        detections=detections_of(connection, query_set),
        rule_counts=rule_counts_of(connection),
        lines=lines,
        line_kinds=tuple(chosen_lines.kinds),
        places=places_of(connection),
        coverage=coverage_of(connection, limits),
        skews=skews_of(connection),
        paths=paths_of(connection, sessions),
        runs=runs_of(connection),
        notes=notes,
        slack_count=origins.get("slack", 0),
        carved_count=origins.get("carved", 0),
        is_recovered_counted=counts_recovered(connection, query_set),
    )


def _sources(connection: duckdb.DuckDBPyConnection) -> tuple[ReportSource, ...]:
    rows = connection.execute(
        """
        SELECT s.source_file_id, concat_ws('!', s.container, s.path) AS path, s.sha256, s.size, s.status,
            s.copy_of, s.host, s.computer, s.channel,
            s.expected, s.parsed, s.failed, s.duplicate, min(e.event_time) FILTER (e.origin NOT IN ('carved', 'slack')),
            max(e.event_time) FILTER (e.origin NOT IN ('carved', 'slack')), s.rescued, s.slack, s.carved
        FROM source_file AS s LEFT JOIN file_record AS e ON e.source_file_id = coalesce(s.copy_of, s.source_file_id)
        GROUP BY ALL ORDER BY path, s.source_file_id
        """
    ).fetchall()
    return tuple(ReportSource(*row) for row in rows)


def _one(
    connection: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, object] | None = None
) -> tuple[Any, ...]:
    row = connection.execute(sql, values).fetchone() if values else connection.execute(sql).fetchone()
    assert row is not None  # aggregates always give one row
    return row
