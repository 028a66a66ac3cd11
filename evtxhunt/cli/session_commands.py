"""Commands about what was correlated: sessions, hops, timeline, coverage."""

from datetime import datetime
from typing import Annotated

import typer

from evtxhunt.cli.output import (
    DEFAULT_CASE,
    DEFAULT_MEMORY,
    CaseOption,
    Format,
    FormatOption,
    MemoryOption,
    OutputOption,
    QueriesOption,
    RecoveredOption,
    say,
    say_all,
    write_rows,
)
from evtxhunt.cli.progress import correlate_with_bar
from evtxhunt.pipeline.correlated import COVERAGE, DETECTIONS, HOPS, SESSIONS, Correlated, Story, rows_of, timeline_of
from evtxhunt.pipeline.query import QuerySet, find_query, load_query_set
from evtxhunt.pipeline.stale import stale_notes

HostOption = Annotated[
    str | None, typer.Option("--host", help="Only what this host, by short name, name or address, takes part in.")
]
UserOption = Annotated[str | None, typer.Option("--user", help="Only what this account takes part in, without domain.")]
_TIMES = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M", "%Y-%m-%d"]
FromOption = Annotated[
    datetime | None, typer.Option("--from", formats=_TIMES, metavar="TIME", help="Only from this time on, UTC.")
]
ToOption = Annotated[
    datetime | None, typer.Option("--to", formats=_TIMES, metavar="TIME", help="Only before this time, UTC.")
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(name="sessions", help="Show every remoting session: who, from where, to where, when, how sure.")(
        _sessions
    )
    app.command(name="coverage", help="Show what each log of each host could have told, and why it may not.")(_coverage)
    app.command(name="timeline", help="Tell what happened in plain sentences, each with its records.")(_timeline)
    app.command(name="hops", help="Show every second hop: from within which session, by which method, to where.")(_hops)


def _sessions(
    case: CaseOption = DEFAULT_CASE,
    host: HostOption = None,
    user: UserOption = None,
    queries: QueriesOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
    recovered: RecoveredOption = False,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    _show(SESSIONS, case, host, user, load_query_set(queries, include_recovered=recovered), form, output, memory)


def _hops(
    case: CaseOption = DEFAULT_CASE,
    host: HostOption = None,
    user: UserOption = None,
    queries: QueriesOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
    recovered: RecoveredOption = False,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    _show(HOPS, case, host, user, load_query_set(queries, include_recovered=recovered), form, output, memory)


def _coverage(
    case: CaseOption = DEFAULT_CASE,
    host: HostOption = None,
    detections: Annotated[
        bool, typer.Option("--detections", help="Show for each detection whether it could have found something.")
    ] = False,
    queries: QueriesOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
    recovered: RecoveredOption = False,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    query_set = load_query_set(queries, include_recovered=recovered)
    _show(DETECTIONS if detections else COVERAGE, case, host, None, query_set, form, output, memory)


def _timeline(
    case: CaseOption = DEFAULT_CASE,
    host: HostOption = None,
    user: UserOption = None,
    session: Annotated[
        int | None, typer.Option("--session", min=1, help="Only this remoting session, as `sessions` numbers it.")
    ] = None,
    from_time: FromOption = None,
    to_time: ToOption = None,
    routine: Annotated[
        bool, typer.Option("--routine", help="With logons, tickets and connections of machines and services.")
    ] = False,
    queries: QueriesOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
    recovered: RecoveredOption = False,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    story = Story(host, user, session, from_time, to_time, routine)
    query_set = load_query_set(queries, include_recovered=recovered)
    correlate_with_bar(case, query_set, memory)
    say_all(stale_notes(case, query_set, memory, find_query(query_set.queries, "timeline").sql))
    with timeline_of(story, case, query_set, is_short=form is Format.TABLE, memory_limit=memory) as rows:
        write_rows(rows, form, output)
    if not routine and session is None:
        say("Left out: logons, tickets and connections of machines and services; --routine shows them.")


def _show(
    what: Correlated,
    case: CaseOption,
    host: str | None,
    user: str | None,
    query_set: QuerySet,
    form: Format,
    output: OutputOption,
    memory: str,
) -> None:
    """A table fits a terminal; the other formats have every column."""
    is_short = form is Format.TABLE
    correlate_with_bar(case, query_set, memory)
    with rows_of(what, case, query_set, host=host, user=user, is_short=is_short, memory_limit=memory) as rows:
        write_rows(rows, form, output)
