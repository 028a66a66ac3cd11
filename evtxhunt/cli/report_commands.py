"""Commands that make reports: report, demo."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from evtxhunt.cli.case_commands import say_summary
from evtxhunt.cli.output import (
    DEFAULT_CASE,
    DEFAULT_MEMORY,
    CaseOption,
    MemoryOption,
    QueriesOption,
    RecoveredOption,
    open_output,
    say,
)
from evtxhunt.cli.progress import IngestBar, StepBar
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.query import load_query_set
from evtxhunt.pipeline.report import ReportOptions, write_report
from evtxhunt.redact import What
from evtxhunt.render.terminal import escape_terminal
from evtxhunt.resources import shipped_folder


class ReportFormat(StrEnum):
    """What a report is for."""

    HTML = "html"
    MARKDOWN = "markdown"


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(name="report", help="Write the case as one self-contained HTML file, or as Markdown for a ticket.")(
        _report
    )
    app.command(name="demo", help="Ingest the synthetic sample logs into a new case and report on it.")(_demo)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text} is no ISO 8601 time such as 2026-05-01T13:00:00Z") from error
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise typer.BadParameter(f"{text} is no time zone such as UTC or Europe/Vienna") from error
    return text


def _parts_to_redact(text: str | None) -> frozenset[What]:
    parts = {part.strip() for part in (text or "").split(",")} - {""}
    if (text is not None and not parts) or parts - set(get_args(What)):
        raise typer.BadParameter("give users, hosts or users,hosts", param_hint="--redact")
    return frozenset(part for part in get_args(What) if part in parts)


def _report(
    case: CaseOption = DEFAULT_CASE,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write.", show_default="report.html or report.md")
    ] = None,
    form: Annotated[
        ReportFormat,
        typer.Option(
            "--format",
            help="html: everything. markdown: for a ticket in Jira, GitHub or GitLab, at most 32,000 characters.",
        ),
    ] = ReportFormat.HTML,
    start: Annotated[str | None, typer.Option("--from", help="Only events from this UTC time on (ISO 8601).")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Only events before this UTC time (ISO 8601).")] = None,
    host: Annotated[str | None, typer.Option("--host", help="Only this host.")] = None,
    zone: Annotated[str, typer.Option("--tz", help="Time zone to show times in; they are stored in UTC.")] = "UTC",
    redact: Annotated[
        str | None,
        typer.Option(
            "--redact",
            metavar="users,hosts",
            help="Replace accounts and SIDs (users), hosts and addresses (hosts) by pseudonyms, domains with either."
            " Accounts that every Windows has stay. It cannot see names in encoded, compressed, split or misspelt"
            " text, nor what file and service names, real names or passwords give away: read the report before you"
            " hand it on.",
        ),
    ] = None,
    redact_key: Annotated[
        Path | None,
        typer.Option(
            "--redact-key",
            help="File to keep the names behind the pseudonyms in, readable by you only. One of an earlier report on"
            " this case is gone on with. Keep it apart from the report.",
        ),
    ] = None,
    templates: Annotated[
        Path | None,
        typer.Option(
            "--templates",
            help="Folder with templates of your own for the HTML report: each file, such as style.css, is used instead"
            " of ours of that name.",
        ),
    ] = None,
    notes: Annotated[
        list[Path] | None,
        typer.Option("--notes", metavar="FILE", help="Notes that a report's page exported, to show in this one."),
    ] = None,
    queries: QueriesOption = None,
    recovered: RecoveredOption = False,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    if templates and form is not ReportFormat.HTML:
        raise typer.BadParameter("is for the HTML report only", param_hint="--templates")
    if redact_key and not redact:
        raise typer.BadParameter("belongs to --redact", param_hint="--redact-key")
    output = output or Path("report.html" if form is ReportFormat.HTML else "report.md")
    if redact_key and redact_key.absolute() == output.absolute():
        raise typer.BadParameter("and --output must be two files", param_hint="--redact-key")
    options = ReportOptions(
        start=_time(start),
        end=_time(end),
        host=host,
        time_zone=_zone(zone),
        notes=tuple(notes or ()),
        form=form.value,
        redact=_parts_to_redact(redact),
        redact_key=redact_key,
        templates=templates,
    )
    with StepBar() as bar:
        query_set = load_query_set(queries, include_recovered=recovered)
        text = write_report(case, query_set, options, memory_limit=memory, progress=bar)
    with open_output(output) as stream:
        stream.write(text)
    say(f"report written to {escape_terminal(str(output))}")


def _demo(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Folder to write case and report to.")] = Path("demo"),
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    case, report = folder / "demo.duckdb", folder / "report.html"
    if case.exists():
        case.unlink()
    with IngestBar() as bar:
        summary = ingest([shipped_folder("samples/demo")], case, progress=bar)
    say_summary(summary, case)
    with StepBar() as steps:
        html = write_report(case, load_query_set(), ReportOptions(), progress=steps)
    with open_output(report) as stream:
        stream.write(html)
    say(f"case:   {escape_terminal(str(case))}\nreport: {escape_terminal(str(report))}")
