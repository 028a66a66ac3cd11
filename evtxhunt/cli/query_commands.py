"""Commands about query files: detect, query, lint."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from evtxhunt.cli.output import (
    DEFAULT_CASE,
    DEFAULT_MEMORY,
    EXIT_FINDINGS,
    EXIT_INCOMPLETE,
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
from evtxhunt.cli.progress import StepBar, correlate_with_bar
from evtxhunt.model import LEVELS, Level, Query
from evtxhunt.pipeline.query import (
    FINDINGS_SQL,
    QuerySet,
    allowed_sql,
    ask,
    detect,
    find_query,
    lint,
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
    app.command(name="detect", help="Run the detections, store their findings in the case and show them.")(_detect)
    app.command(name="query", help="List the canned queries, or run one.")(_query)
    app.command(name="lint", help="Check query files; exits with 1 if there is a problem.")(_lint)


def level_option(text: str | None) -> Level | None:
    """The level of that name in any case. Raises BadParameter."""
    if text is None:
        return None
    found = next((level for level in LEVELS if level == text.lower()), None)
    if found is None:
        raise typer.BadParameter(f"{text} is not one of {', '.join(LEVELS)}")
    return found


def _detect(
    case: CaseOption = DEFAULT_CASE,
    queries: QueriesOption = None,
    level: Annotated[
        str | None, typer.Option("--level", callback=level_option, help="Show findings of this level and above.")
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option("--fail-on", callback=level_option, help="Exit with 1 if a finding has this level or more."),
    ] = None,
    allow: Annotated[
        Path | None,
        typer.Option("--allow", help="Allow-list (TOML): what it fits is set aside and counted."),
    ] = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
    timeout: TimeoutOption = None,
    recovered: RecoveredOption = False,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    query_set = load_query_set(queries, include_recovered=recovered)
    with StepBar() as bar:
        runs = detect(case, query_set, allow=allow, timeout_seconds=timeout, memory_limit=memory, progress=bar)
    shown = LEVELS[LEVELS.index(level_option(level) or "informational") :]
    with (
        open_case(case, query_set, memory_limit=memory) as connection,
        ask(connection, FINDINGS_SQL, {"levels": list(shown)}, None) as rows,
    ):
        write_rows(rows, form, output)
        aside = connection.execute(allowed_sql()).fetchall()
    counts = Counter(finding.level for run in runs for finding in run.findings or () if not finding.allowed_reason)
    say(
        f"{len(runs)} detections: "
        + (", ".join(f"{counts[name]:,} {name}" for name in reversed(LEVELS) if counts[name]) or "no findings")
    )
    for detection, reason, count in aside:
        say(escape_terminal(f"set aside by the allow-list: {count:,} of {detection}: {reason}"))
    failed = [run for run in runs if run.error is not None]
    for run in failed:
        say(f"FAILED {escape_terminal(run.error or '')}")
    if failed:
        raise typer.Exit(EXIT_INCOMPLETE)
    if fail_on and any(counts[name] for name in LEVELS[LEVELS.index(level_option(fail_on) or "critical") :]):
        raise typer.Exit(EXIT_FINDINGS)


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
