"""The command export: findings and the story's lines for the tools next door."""

from pathlib import Path
from typing import Annotated

import typer

from evtxhunt.cli.output import (
    DEFAULT_CASE,
    DEFAULT_MEMORY,
    CaseOption,
    Format,
    MemoryOption,
    QueriesOption,
    RecoveredOption,
    open_output,
    say,
    write_rows,
    writing,
)
from evtxhunt.pipeline.export import Export
from evtxhunt.pipeline.query import load_query_set
from evtxhunt.render.navigator import render_navigator
from evtxhunt.render.terminal import escape_terminal

# What each format is called in a folder.
_FILES = {
    "csv": "evtxhunt.csv",
    "jsonl": "evtxhunt.jsonl",
    "parquet": "evtxhunt.parquet",
    "timesketch": "timesketch.jsonl",
    "navigator": "navigator.json",
}


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        name="export", help="Write findings and the story's lines for other tools, each row with the records behind it."
    )(_export)


def _export(
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT[,...]",
            help="csv, jsonl, parquet; timesketch (JSON Lines as it imports them); navigator (a layer of the ATT&CK"
            " Navigator, scored by findings).",
        ),
    ],
    case: CaseOption = DEFAULT_CASE,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File to write; of several formats, the folder for their files."),
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help="Only what this computer takes part in.")] = None,
    routine: Annotated[
        bool, typer.Option("--routine", help="With logons, tickets and connections of machines and services.")
    ] = False,
    queries: QueriesOption = None,
    recovered: RecoveredOption = False,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    formats = list(dict.fromkeys(part.strip() for part in to.split(",") if part.strip()))
    unknown = [name for name in formats if name not in _FILES]
    if unknown or not formats:
        raise typer.BadParameter(
            f"{', '.join(unknown) or 'nothing'} is no format; there are {', '.join(_FILES)}", param_hint="--to"
        )
    export = Export(case, load_query_set(queries, include_recovered=recovered), host or "", routine, memory)
    export.prepare()
    if len(formats) == 1:
        paths = {formats[0]: output or Path(_FILES[formats[0]])}
    else:
        folder = output or Path()
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        paths = {name: folder / _FILES[name] for name in formats}
    for name, path in paths.items():
        _write(export, name, path)
        say(f"{name} written to {escape_terminal(str(path))}")


def _write(export: Export, name: str, path: Path) -> None:
    if name == "navigator":
        text = render_navigator(export.case.stem, export.techniques())
        with open_output(path) as stream:
            stream.write(text)
        return
    is_timesketch = name == "timesketch"
    with export.rows("timesketch" if is_timesketch else "rows") as rows:
        write_rows(rows, Format.JSONL if is_timesketch else Format(name), path)
    if is_timesketch and (missing := export.without_time()):
        say(f"{missing:,} findings without a time left out: Timesketch cannot hold them")
