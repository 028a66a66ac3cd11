"""The sql command: one question, or a prompt with history and completion."""

import sys
from pathlib import Path
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
    TimeoutOption,
    say_all,
    write_rows,
)
from evtxhunt.cli.progress import correlate_with_bar
from evtxhunt.cli.prompt import answer, run_prompt
from evtxhunt.pipeline.query import ask, load_query_set, open_case, uses_tables
from evtxhunt.pipeline.stale import stale_notes


def add_to(app: typer.Typer) -> None:
    """Adds the command of this file."""
    app.command(
        name="sql",
        help="Ask the case in SQL. Read-only, without access to files or the network. With no SQL: a prompt on a"
        " terminal, else SQL from stdin. '.schema NAME' shows what the columns of a table hold.",
    )(_sql)


def _sql(
    statement: Annotated[str | None, typer.Argument(metavar="[SQL]", help="What to ask.")] = None,
    case: CaseOption = DEFAULT_CASE,
    file: Annotated[Path | None, typer.Option("--file", help="Read the SQL from a file.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Let SQL change the case.")] = False,
    queries: QueriesOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
    timeout: TimeoutOption = None,
    recovered: RecoveredOption = False,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    if statement is not None and file is not None:
        raise typer.BadParameter("give SQL or --file, not both", param_hint="--file")
    if file is not None:
        try:
            statement = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter(f"{file}: cannot be read: {error}", param_hint="--file") from error
    if statement is None and not sys.stdin.isatty():
        statement = sys.stdin.read()
    query_set = load_query_set(queries, include_recovered=recovered)
    if statement is not None and uses_tables(statement, query_set):
        correlate_with_bar(case, query_set, memory)
    say_all(stale_notes(case, query_set, memory, statement))
    with open_case(case, query_set, memory_limit=memory, write=write) as connection:
        if statement is None:
            run_prompt(connection, form, timeout)
            return
        if statement.startswith("."):
            answer(connection, statement.strip(), form, timeout)
            return
        with ask(connection, statement, None, timeout) as result:
            write_rows(result, form, output)
