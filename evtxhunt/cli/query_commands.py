"""Commands about query files: query, lint."""

from pathlib import Path
from typing import Annotated

import typer

from evtxhunt.cli.output import (
    DEFAULT_CASE,
    DEFAULT_MEMORY,
    EXIT_FINDINGS,
    CaseOption,
    Format,
    FormatOption,
    MemoryOption,
    OutputOption,
    QueriesOption,
    RecoveredOption,
    TimeoutOption,
    open_output,
    say,
    say_all,
    write_rows,
)
from evtxhunt.cli.progress import correlate_with_bar
from evtxhunt.model import Query
from evtxhunt.pipeline.lint import lint
from evtxhunt.pipeline.query import (
    QuerySet,
    ask,
    find_query,
    load_query_set,
    open_case,
    run_hunt,
    uses_tables,
)
from evtxhunt.pipeline.stale import stale_notes
from evtxhunt.query_file import convert_parameter
from evtxhunt.render.explain import explanation
from evtxhunt.render.tabular import write_table
from evtxhunt.render.terminal import escape_terminal


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(name="query", help="List the canned queries, or run one.")(_query)
    app.command(name="lint", help="Check query files; exits with 1 if there is a problem.")(_lint)


def _query(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Query to run; without it they are listed.")
    ] = None,
    case: CaseOption = DEFAULT_CASE,
    parameters: Annotated[
        list[str] | None, typer.Option("-p", "--param", metavar="NAME=VALUE", help="Set a parameter of the query.")
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Tell what it means and reads, and where it could find anything."),
    ] = False,
    queries: QueriesOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
    timeout: TimeoutOption = None,
    recovered: RecoveredOption = False,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    query_set = load_query_set(queries, include_recovered=recovered)
    if explain and name is None:
        raise typer.BadParameter("name the query to explain", param_hint="--explain")
    if name is None:
        with open_output(output) as stream:
            rows = ((query.kind, query.id, query.level, query.title, _signature(query)) for query in query_set.queries)
            write_table(("kind", "id", "level", "title", "parameters"), rows, stream)
        return
    query = find_query(query_set.queries, name)
    if explain:
        _explain(query, case, query_set, memory)
        return
    values = _values(query, parameters or [])
    if uses_tables(query.sql, query_set):
        correlate_with_bar(case, query_set, memory)
    say_all(stale_notes(case, query_set, memory, query.sql))
    with (
        open_case(case, query_set, memory_limit=memory) as connection,
        run_hunt(connection, query_set, query, values, timeout) as result,
    ):
        write_rows(result, form, output)


def _explain(query: Query, case: Path, query_set: QuerySet, memory: str) -> None:
    for line in explanation(query):
        typer.echo(escape_terminal(line))
    if query.kind != "detection" or not case.exists():
        return
    typer.echo(f"\nIn {case}:")
    correlate_with_bar(case, query_set, memory)
    sql = (
        "SELECT computer, CASE WHEN is_possible THEN 'yes' ELSE 'no' END AS could_find, events, missing"
        " FROM detection_coverage WHERE detection_id = $id ORDER BY computer"
    )
    with (
        open_case(case, query_set, memory_limit=memory) as connection,
        ask(connection, sql, {"id": query.id}, None) as rows,
    ):
        write_rows(rows, Format.TABLE, None)


def _signature(query: Query) -> str:
    return ", ".join(f"{parameter.name}={parameter.default}" for parameter in query.parameters)


def _values(query: Query, given: list[str]) -> dict[str, object]:
    by_name = {parameter.name: parameter for parameter in query.parameters}
    values: dict[str, object] = {}
    for item in given:
        name, equals, text = item.partition("=")
        if not equals or name not in by_name:
            known = ", ".join(by_name) or "none"
            raise typer.BadParameter(f"{item}: {query.id} takes NAME=VALUE with NAME of: {known}", param_hint="-p")
        try:
            values[name] = convert_parameter(by_name[name], text)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="-p") from error
    return values


def _lint(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Folder of query files; default: ours.")
    ] = None,
) -> None:
    count, problems = lint(folder)
    for problem in problems:
        typer.echo(escape_terminal(problem.text))
    say(f"{count} query files, {len(problems)} problem{'' if len(problems) == 1 else 's'}")
    if problems:
        raise typer.Exit(EXIT_FINDINGS)
