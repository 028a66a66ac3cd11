"""Commands about what was correlated: sessions, hops, coverage."""

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
    write_rows,
)
from evtxhunt.pipeline.correlated import COVERAGE, HOPS, SESSIONS, Correlated, rows_of

HostOption = Annotated[
    str | None, typer.Option("--host", help="Only what this host, by short name, name or address, takes part in.")
]
UserOption = Annotated[str | None, typer.Option("--user", help="Only what this account takes part in, without domain.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(name="sessions", help="Show every remoting session: who, from where, to where, when, how sure.")(
        _sessions
    )
    app.command(name="coverage", help="Show what each log of each host could have told, and why it may not.")(_coverage)
    app.command(name="hops", help="Show every second hop: from within which session, by which method, to where.")(_hops)


def _sessions(
    case: CaseOption = DEFAULT_CASE,
    host: HostOption = None,
    user: UserOption = None,
    queries: QueriesOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    _show(SESSIONS, case, host, user, queries, form, output, memory)


def _hops(
    case: CaseOption = DEFAULT_CASE,
    host: HostOption = None,
    user: UserOption = None,
    queries: QueriesOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    _show(HOPS, case, host, user, queries, form, output, memory)


def _coverage(
    case: CaseOption = DEFAULT_CASE,
    host: HostOption = None,
    queries: QueriesOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    _show(COVERAGE, case, host, None, queries, form, output, memory)


def _show(
    what: Correlated,
    case: CaseOption,
    host: str | None,
    user: str | None,
    queries: QueriesOption,
    form: Format,
    output: OutputOption,
    memory: str,
) -> None:
    """A table fits a terminal; the other formats have every column."""
    is_short = form is Format.TABLE
    with rows_of(what, case, queries=queries, host=host, user=user, is_short=is_short, memory_limit=memory) as rows:
        write_rows(rows, form, output)
