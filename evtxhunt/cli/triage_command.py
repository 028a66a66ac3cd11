"""The command triage: a shelf of collections to a ranked list of hosts."""

import os
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from evtxhunt.cli.detect_command import level_option
from evtxhunt.cli.output import (
    DEFAULT_MEMORY,
    EXIT_FINDINGS,
    EXIT_INCOMPLETE,
    MemoryOption,
    PasswordOption,
    QueriesOption,
    RecoveredOption,
    counted,
    say,
)
from evtxhunt.model import LEVELS
from evtxhunt.pipeline.fleet import Limits, Progress
from evtxhunt.pipeline.forks import Isolate
from evtxhunt.pipeline.query import load_query_set
from evtxhunt.pipeline.sigma import RuleOptions
from evtxhunt.pipeline.triage import TriageSummary, triage, watch
from evtxhunt.render.tabular import write_table
from evtxhunt.render.terminal import escape_terminal

_MOST_SHOWN = 15  # collections in the live table; of the rest their number
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
# At so much growth the guard of a parser gives up a single chunk, which is to cost that chunk and not the collection.
_ROOM_FOR_A_CHUNK = 2**30


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        name="triage",
        help="Read a shelf of collections, rank their hosts, and write a report for each: see DIR/index.html. A"
        " collection is a folder, archive or image directly below PATH, or PATH itself if it holds logs directly."
        " Exit status 4 if one could not be read in full.",
    )(_triage)


def _triage(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH...", help="Folders of collections.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Folder for case.duckdb, index.html, hosts/, triage.json, hosts.csv, findings.csv, manifest.json."
            " Nothing is written elsewhere. Again with the same DIR: what is new, or what a killed run left.",
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, help="Collections read, and reports written, at once.", show_default="cores")
    ] = os.cpu_count() or 1,
    time_limit: Annotated[
        float, typer.Option("--time-limit", min=0.001, help="Most seconds for reading one collection.")
    ] = 3600,
    watched: Annotated[
        Path | None,
        typer.Option(
            "--watch",
            metavar="DIR",
            help="Then take what comes into this folder, once it has not changed for 5 s, until Ctrl-C.",
        ),
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option("--fail-on", callback=level_option, help="Exit with 1 if a finding has this level or more."),
    ] = None,
    recover: Annotated[
        bool, typer.Option("--recover", help="Search the free space of all chunks for records of old.")
    ] = False,
    reread: Annotated[
        bool,
        typer.Option(
            "--reread",
            help="Read collections again that DIR has already: for logs that came into them since, or with a --password"
            " that was missing. What is known is not counted twice.",
        ),
    ] = False,
    password: PasswordOption = None,
    rules: Annotated[
        list[Path] | None,
        typer.Option("--rules", help="Sigma rules to run beside the detections, as in detect. May be repeated."),
    ] = None,
    queries: QueriesOption = None,
    recovered: RecoveredOption = False,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    if output is None:
        raise typer.BadParameter("give the folder to write to", param_hint="-o")
    if not paths and watched is None:
        raise typer.BadParameter("give PATHs of collections, or --watch DIR", param_hint="PATH...")
    limits = Limits(jobs, time_limit, _bytes(memory) + _ROOM_FOR_A_CHUNK, recover, _isolate(), password)
    query_set = load_query_set(queries, include_recovered=recovered)
    options = RuleOptions(tuple(rules)) if rules else None
    with FleetTable() as table:
        if paths:
            summary = triage(
                paths, output, query_set, limits, table, rules=options, is_reread=reread, memory_limit=memory
            )
        if watched is not None:
            if paths:
                _say_summary(summary, output)
            say(f"watching {escape_terminal(str(watched))}; Ctrl-C ends it")
            for summary in watch(watched, output, query_set, limits, table, rules=options, memory_limit=memory):
                _say_summary(summary, output)
    _show_top(summary)
    _say_summary(summary, output)
    if not summary.is_complete:
        raise typer.Exit(EXIT_INCOMPLETE)
    level = level_option(fail_on)
    if level and any(summary.levels[name] for name in LEVELS[LEVELS.index(level) :]):
        raise typer.Exit(EXIT_FINDINGS)


def _isolate() -> Isolate | None:
    if sys.platform != "linux":
        return None
    from evtxhunt.cli.guard import run_guarded

    return run_guarded


def _bytes(text: str) -> int:
    """As DuckDB reads a memory limit."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?\s*", text.lower())
    if found is None or found[2] not in _UNITS:
        raise typer.BadParameter(f"{text} is no size such as 512MB or 4GB", param_hint="--memory")
    return int(float(found[1]) * _UNITS[found[2]])


def _show_top(summary: TriageSummary) -> None:
    rows = ((score, escape_terminal(host), escape_terminal(why)) for score, host, why in summary.top)
    write_table(("score", "host", "why"), rows, typer.get_text_stream("stdout"))


def _say_summary(summary: TriageSummary, output: Path) -> None:
    states = ", ".join(f"{number:,} {state}" for state, number in summary.collections.items())
    say(f"{counted(summary.hosts, 'host')}; collections: {states}")
    found = ", ".join(f"{number:,} {level}" for level, number in summary.levels.items() if number)
    say(f"findings: {found or 'none'}")
    for path, state, reason, what_to_do in summary.failures:
        say(f"{state.upper()} {escape_terminal(f'{path}: {reason}; {what_to_do}')}")
    for text in summary.failed_detections:
        say(f"FAILED {escape_terminal(text)}")
    say(f"written to {escape_terminal(str(output / 'index.html'))}")


class FleetTable:
    """A FleetProgress for people: a table that is gone in the end, nothing where stderr is no terminal.

    It has no thread of its own, since the process that shows it forks.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> "FleetTable":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, collections: Sequence[Progress], step: str) -> None:
        """Where each collection is, and what is done beside."""
        if self._console.is_terminal:
            self._live.update(_table(collections, step), refresh=True)


def _table(collections: Sequence[Progress], step: str) -> Table:
    table = Table(box=None, pad_edge=False, title_justify="left")
    for name, justify in (("collection", "left"), ("", "left"), ("MB", "right"), ("records", "right")):
        table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
    counts = Counter(item.state for item in collections)
    shown = [item for item in collections if item.state in ("reading", "failed", "read")]
    for item in shown[:_MOST_SHOWN]:
        size = f"{item.done / 1e6:,.0f}/{item.size / 1e6:,.0f}"
        name = escape_terminal(item.path.name)[:60]
        table.add_row(Text(name), Text(item.state), Text(size), Text(f"{item.records:,}"))
    if len(shown) > _MOST_SHOWN:
        table.add_row(Text(f"and {len(shown) - _MOST_SHOWN:,} more"))
    table.title = Text(", ".join([*(f"{number:,} {state}" for state, number in counts.items()), *filter(None, [step])]))
    return table
