"""Commands that make reports: report, demo."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from evtxhunt.cli.case_commands import say_summary
from evtxhunt.cli.output import (
    DEFAULT_CASE,
    DEFAULT_MEMORY,
    CaseOption,
    MemoryOption,
    QueriesOption,
    open_output,
    say,
)
from evtxhunt.cli.progress import IngestBar
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.query import load_query_set
from evtxhunt.pipeline.report import ReportOptions, write_report
from evtxhunt.render.terminal import escape_terminal
from evtxhunt.resources import shipped_folder


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(name="report", help="Write the case as one self-contained HTML file.")(_report)
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


def _report(
    case: CaseOption = DEFAULT_CASE,
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write.")] = Path("report.html"),
    start: Annotated[str | None, typer.Option("--from", help="Only events from this UTC time on (ISO 8601).")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Only events before this UTC time (ISO 8601).")] = None,
    host: Annotated[str | None, typer.Option("--host", help="Only this host.")] = None,
    zone: Annotated[str, typer.Option("--tz", help="Time zone to show times in; they are stored in UTC.")] = "UTC",
    notes: Annotated[
        list[Path] | None,
        typer.Option("--notes", metavar="FILE", help="Notes that a report's page exported, to show in this one."),
    ] = None,
    queries: QueriesOption = None,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    options = ReportOptions(_time(start), _time(end), host, _zone(zone), tuple(notes or ()))
    html = write_report(case, load_query_set(queries), options, memory_limit=memory)
    with open_output(output) as stream:
        stream.write(html)
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
    html = write_report(case, load_query_set(), ReportOptions())
    with open_output(report) as stream:
        stream.write(html)
    say(f"case:   {escape_terminal(str(case))}\nreport: {escape_terminal(str(report))}")
