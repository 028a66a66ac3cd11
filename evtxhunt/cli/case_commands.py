"""Commands about a case as a whole: ingest, info, verify."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from evtxhunt.binxml_values import DEFAULT_ANSI_CODEC
from evtxhunt.cli.output import (
    DEFAULT_CASE,
    DEFAULT_MEMORY,
    EXIT_DIFFERENCES,
    EXIT_INCOMPLETE,
    INGEST_MEMORY,
    CaseOption,
    Format,
    FormatOption,
    MemoryOption,
    OutputOption,
    PasswordOption,
    counted,
    open_output,
    say,
    write_rows,
)
from evtxhunt.cli.progress import IngestBar
from evtxhunt.log_model import LogAccount
from evtxhunt.model import IngestSummary
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.manifest import open_manifest
from evtxhunt.pipeline.query import REMARKS_SQL, SOURCES_SQL, TOTALS_SQL, ask, load_query_set, open_case
from evtxhunt.pipeline.recovered import counts_by_origin
from evtxhunt.pipeline.verify import difference_rows, verify
from evtxhunt.render.tabular import write_json_sections, write_table
from evtxhunt.render.terminal import escape_terminal
from evtxhunt.watch import current_watch

_PATH_HELP = (
    "Logs, folders of logs, and what holds logs in there: zip, 7z, tar (gz, bz2, xz, zst), archives in archives;"
    " with evtxhunt[images] disk images: raw, E01, VHD, VHDX, VMDK, QCOW2."
)

# Reasons that speak of a log that may be there, and not of a file that is none.
_UNREAD = re.compile("(^|; )(unreadable|refused|encrypted|a disk image)")
_MOST_NAMED = 10  # files named for each reason; all of them are in the case


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(name="ingest", help="Parse every event log at or below PATH into the case; again = only what is new.")(
        _ingest
    )
    app.command(
        name="info", help="Show what a case holds: logs with hashes and accounts, or with --format for machines."
    )(_info)
    app.command(name="verify", help="Hash the evidence again, count the case again, and name every difference.")(
        _verify
    )


def _ingest(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH...", help=_PATH_HELP, show_default=False),
    ] = None,
    case: CaseOption = DEFAULT_CASE,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            help="Label of the host that these logs are from. Default: the folder under PATH where several computers"
            " were collected side by side, else each event's Computer.",
        ),
    ] = None,
    recover: Annotated[
        bool,
        typer.Option(
            "--recover",
            help="Search the free space of all chunks for records of old, not only in damaged logs; in logs that the"
            " case has already, too.",
        ),
    ] = False,
    carve: Annotated[
        list[Path] | None,
        typer.Option(
            "--carve",
            metavar="FILE",
            help="Find chunks of event logs in a raw image, memory, page file, or a log whose header is destroyed."
            " Repeatable.",
        ),
    ] = None,
    ansi_codec: Annotated[
        str,
        typer.Option(
            "--ansi-codec",
            help="Code page of the computer that wrote the logs, for the few texts that are not UTF-16: windows-1251,"
            " shift_jis, gbk, ...",
        ),
    ] = DEFAULT_ANSI_CODEC,
    password: PasswordOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 4 if anything could not be read.")] = False,
    memory: MemoryOption = INGEST_MEMORY,
) -> None:
    if not paths and not carve:
        raise typer.BadParameter("give PATHs of logs, or --carve FILE", param_hint="PATH...")
    with IngestBar() as bar:
        summary = ingest(
            paths or [],
            case,
            host=host,
            recover=recover,
            carve=carve or [],
            ansi_codec=ansi_codec,
            password=password,
            memory_limit=memory,
            progress=bar,
            watch=current_watch(),
        )
    say_summary(summary, case)
    if strict and (summary.damaged or any(_UNREAD.search(item.reason) for item in summary.skipped)):
        raise typer.Exit(EXIT_INCOMPLETE)


def say_summary(summary: IngestSummary, case: Path) -> None:
    """The closing summary of an ingest: events by host and channel to stdout, what was not read to stderr."""
    counts = (
        (
            escape_terminal(item.host or "-"),
            escape_terminal(item.channel or "-"),
            item.events,
            item.first_time,
            item.last_time,
        )
        for item in summary.channels
    )
    write_table(("host", "channel", "events", "first", "last"), counts, typer.get_text_stream("stdout"))
    say(
        f"{summary.events:,} events from {summary.read_files:,} logs ({summary.read_bytes / 1e6:,.1f} MB) into"
        f" {escape_terminal(str(case))}"
    )
    if summary.known:
        say(f"{len(summary.known):,} logs were in the case already")
    _say_names("copies of a log that was read", [f"{path} = {same}" for path, same in summary.copies])
    if summary.seen_before:
        records = sum(records for _, records, _ in summary.seen_before)
        say(f"{counted(records, 'record')} seen before, kept as copies (table event_copy):")
        _say_some([_seen_before(*item) for item in summary.seen_before])
    if summary.conflicts:
        say(
            f"CONFLICTS: {counted(summary.conflicts, 'record')} of a number that another record of the same computer"
            ' and log has, of other time or content: evtxhunt sql "FROM record_conflict"'
        )
    _say_names("hidden logs, read like the others", list(summary.hidden))
    by_reason: dict[str, list[str]] = defaultdict(list)
    for item in summary.skipped:
        reason, count = _split_count(item.reason)
        by_reason[reason].append(f"{item.path}{count}")
    for reason, names in sorted(by_reason.items()):
        _say_names(f"not ingested, {reason}", names)
    if any("named .evtx" in reason for reason in by_reason):
        say("  a log whose header is destroyed can be read with: evtxhunt ingest --carve FILE")
    _say_recovered([account for _, account in summary.recovered])
    lost = sum(account.failed for _, account in summary.damaged)
    if summary.damaged:
        say(f"COULD NOT BE READ: {lost:,} records in {len(summary.damaged):,} damaged logs (table parse_failure):")
        for path, account in summary.damaged:
            first = escape_terminal(account.failures[0].reason)
            say(f"  {escape_terminal(path)}: {account.failed:,} records; first: {first}")


def _seen_before(path: str, records: int, others: Sequence[str]) -> str:
    # A record that lies in the free space of a chunk may be one that the log moved.
    named = ["its own live ones (they lie in free space too)" if other == path else other for other in others]
    return f"{path}: {records:,} of {_some(named)}"


def _split_count(reason: str) -> tuple[str, str]:
    """A reason without the number at its end, which differs from container to container, and that number."""
    head, mark, number = reason.rpartition(": ")
    return (head, f": {number}") if mark and number.replace(",", "").isdigit() else (reason, "")


def _say_recovered(accounts: list[LogAccount]) -> None:
    for what, counts in (
        ("rescued: left out by the fast parser, read by ours", [account.rescued for account in accounts]),
        ("found in the free space of chunks (origin slack)", [account.slack or 0 for account in accounts]),
        ("carved (origin carved)", [account.carved or 0 for account in accounts]),
    ):
        if any(counts):
            files = sum(1 for count in counts if count)
            say(f"{counted(sum(counts), 'record')} {what}, in {counted(files, 'file')}")


def _say_names(what: str, names: list[str]) -> None:
    if not names:
        return
    say(f"{len(names):,} {what}:")
    _say_some(names)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2:,} more" if len(names) > 2 else "")


def _say_some(names: list[str]) -> None:
    for name in names[:_MOST_NAMED]:
        say(f"  {escape_terminal(name)}")
    if len(names) > _MOST_NAMED:
        say(f"  and {len(names) - _MOST_NAMED:,} more")


def _info(
    case: CaseOption = DEFAULT_CASE,
    manifest: Annotated[
        bool,
        typer.Option(
            "--manifest",
            help="Write what the case was made from and by as JSON: inputs with hashes and accounts, skipped files,"
            " counts, versions and arguments of each run. The same case gives the same bytes.",
        ),
    ] = False,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    if manifest:
        if form not in (Format.TABLE, Format.JSON):
            raise typer.BadParameter("a manifest is always JSON: leave --format out", param_hint="--format")
        with open_manifest(case, memory_limit=memory) as sections, open_output(output) as stream:
            write_json_sections(sections, stream)
        return
    query_set = load_query_set()
    with open_case(case, query_set, memory_limit=memory) as connection:
        if form is Format.TABLE:
            with ask(connection, TOTALS_SQL, None, None) as totals:
                events, logs, hosts, first, last, lost, skipped, findings = next(iter(totals))
            span = f"{first}Z to {last}Z (UTC)" if first is not None else "without a time"
            say(
                f"{events:,} events of {hosts} hosts in {logs:,} logs, {span}; {lost:,} records"
                f" could not be read, {skipped:,} files were no event logs, {findings:,} findings stored"
            )
            _say_origins(counts_by_origin(connection))
            # A folder of views of one's own may be without it.
            if any(view.id == "log_integrity" for view in query_set.of_kind("view")):
                with ask(connection, REMARKS_SQL, None, None) as remarks:
                    _say_remarks(*(int(str(number)) for number in next(iter(remarks))))
        with ask(connection, SOURCES_SQL, None, None) as rows:
            write_rows(rows, form, output)


def _say_origins(counts: Mapping[str, int]) -> None:
    if set(counts) <= {"live"}:
        return
    say("events by origin: " + ", ".join(f"{number:,} {origin}" for origin, number in counts.items()))
    if {"slack", "carved"} & set(counts):
        say(
            "those from slack and carved ones are not among the events above, nor in any count or finding unless"
            " --include-recovered asks for it: evtxhunt query recovered_record"
        )


def _say_remarks(logs: int, serious: int, notable: int, ordinary: int) -> None:
    if logs == 0:
        say("no remarks on the integrity of any log (view log_integrity)")
        return
    say(
        f"remarks on the integrity of {counted(logs, 'log')} ({serious:,} serious, {notable:,} notable,"
        f' {ordinary:,} ordinary): evtxhunt sql "FROM log_integrity"'
    )


def _verify(
    case: CaseOption = DEFAULT_CASE,
    password: PasswordOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    with IngestBar(has_records=False) as bar:
        result = verify(case, password=password, memory_limit=memory, progress=bar)
    if result.differences or form is not Format.TABLE or output is not None:
        with difference_rows(result.differences) as rows:
            write_rows(rows, form, output)
    say(
        f"hashed {counted(result.logs, 'log')} ({result.size / 1e6:,.1f} MB), read all of the case, counted"
        f" {counted(result.events, 'event')}, {counted(result.failed, 'failed record')},"
        f" {counted(result.findings, 'finding')} and {counted(result.evidence, 'record')} behind them: "
        + (counted(len(result.differences), "difference").upper() if result.differences else "all as stored")
    )
    if result.differences:
        raise typer.Exit(EXIT_DIFFERENCES)
