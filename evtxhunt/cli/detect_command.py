"""The command detect: detections and Sigma rules, their findings, and what could not be asked."""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
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
    counted,
    open_output,
    say,
    write_rows,
)
from evtxhunt.cli.progress import StepBar
from evtxhunt.model import LEVELS, Level, RuleRun
from evtxhunt.pipeline.query import (
    FINDINGS_SQL,
    SHOWN_COUNTS_SQL,
    Detected,
    allowed_sql,
    ask,
    detect,
    load_query_set,
    open_case,
)
from evtxhunt.pipeline.sigma import EXPLAINED_COLUMNS, RuleOptions, explain_log_sources, log_sources
from evtxhunt.render.tabular import write_csv, write_json, write_jsonl, write_table
from evtxhunt.render.terminal import escape_terminal

_MOST_REASONS = 10  # lines of rules that are not applicable; the table detection_run has all
_MOST_TIMES = 20


class Engine(StrEnum):
    """How Sigma rules are run; all find the same."""

    AUTO = "auto"
    FAST = "fast"
    SQL = "sql"


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        name="detect", help="Run the detections and, with --rules, Sigma rules; store their findings and show them."
    )(_detect)


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
    rules: Annotated[
        list[Path] | None,
        typer.Option(
            "--rules", help="Sigma rules: a folder, a YAML file or a zip, such as SigmaHQ's. May be repeated."
        ),
    ] = None,
    level: Annotated[
        str | None,
        typer.Option(
            "--level",
            callback=level_option,
            help="Show findings of this level and above; Sigma rules below do not run.",
        ),
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status", help="Only Sigma rules of this status; without it all but deprecated and unsupported ones."
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", help="Only Sigma rules with such a tag, such as attack.t1059*. May be repeated."),
    ] = None,
    rule_id: Annotated[
        list[str] | None, typer.Option("--id", help="Only Sigma rules of this id, name or file; * and ? are wildcards.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="No Sigma rules of this id, name or file; as --id.")
    ] = None,
    placeholders: Annotated[
        Path | None,
        typer.Option("--placeholders", help='Values for %name% in Sigma rules (TOML): name = ["a", "b*"].'),
    ] = None,
    engine: Annotated[
        Engine,
        typer.Option(
            "--engine",
            help="How Sigma rules are run, with equal results: sql asks each rule of all events, fast only of those"
            " that hold its texts, auto takes fast unless the case is small.",
        ),
    ] = Engine.AUTO,
    rules_cache: Annotated[
        Path | None,
        typer.Option(
            "--rules-cache", help="Where Sigma rules are kept once they were read; beside the case as CASE.rules-cache."
        ),
    ] = None,
    timing: Annotated[bool, typer.Option("--timing", help="Tell which Sigma rules took the longest.")] = False,
    explain_logsource: Annotated[
        bool,
        typer.Option(
            "--explain-logsource",
            help="Run nothing; show where each Sigma log source is read, and how many such events the case has.",
        ),
    ] = False,
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
    if explain_logsource:
        _explain(case, queries, form, output, memory)
        return
    chosen = (status, tag, rule_id, exclude, placeholders)
    if not rules and (any(chosen) or timing):
        raise typer.BadParameter("give the Sigma rules that this is about", param_hint="--rules")
    query_set = load_query_set(queries, include_recovered=recovered)
    options = RuleOptions(
        paths=tuple(rules or ()),
        level=level_option(level) or "informational",
        statuses=tuple(item.lower() for item in status or ()),
        tags=tuple(tag or ()),
        ids=tuple(rule_id or ()),
        excluded=tuple(exclude or ()),
        placeholders=placeholders,
        engine=engine.value,
        cache=rules_cache or case.with_name(f"{case.name}.rules-cache"),
        is_timed=timing,
    )
    with StepBar() as bar:
        detected = detect(
            case,
            query_set,
            rules=options if rules else None,
            allow=allow,
            timeout_seconds=timeout,
            memory_limit=memory,
            progress=bar,
        )
    shown = LEVELS[LEVELS.index(level_option(level) or "informational") :]
    with open_case(case, query_set, memory_limit=memory) as connection:
        with ask(connection, FINDINGS_SQL, {"levels": list(shown)}, None) as rows:
            write_rows(rows, form, output)
        aside = connection.execute(allowed_sql()).fetchall()
        counts = Counter(dict(connection.execute(SHOWN_COUNTS_SQL).fetchall()))
    _tell(detected, counts)
    for detection, reason, count in aside:
        say(escape_terminal(f"set aside by the allow-list: {count:,} of {detection}: {reason}"))
    if timing:
        _tell_times(detected.rule_runs)
    failed = [run.error for run in detected.runs if run.error is not None]
    failed += [f"{run.where}: {run.reason}" for run in detected.rule_runs if run.state == "failed"]
    for text in failed:
        say(f"FAILED {escape_terminal(text)}")
    if failed:
        raise typer.Exit(EXIT_INCOMPLETE)
    if fail_on and any(counts[name] for name in LEVELS[LEVELS.index(level_option(fail_on) or "critical") :]):
        raise typer.Exit(EXIT_FINDINGS)


def _tell(detected: Detected, counts: Counter[str]) -> None:
    rules = detected.rule_set
    what = f"{len(detected.runs)} detections"
    if rules:
        states = Counter(run.state for run in detected.rule_runs)
        others = "".join(
            f", {states[state]:,} {state}" for state in ("failed", "not applicable", "left out") if states[state]
        )
        what += f" and {counted(states['ran'], 'Sigma rule')}{others and f' ({others[2:]})'}"
    say(
        f"{what}: "
        + (", ".join(f"{counts[name]:,} {name}" for name in reversed(LEVELS) if counts[name]) or "no findings")
    )
    if rules and not detected.rule_runs:
        say(f"no Sigma rule in these paths ({counted(rules.other_files, 'other YAML file')})")
    reasons = Counter(run.reason or "" for run in detected.rule_runs if run.state == "not applicable")
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    for reason, count in ordered[:_MOST_REASONS]:
        say(escape_terminal(f"not applicable: {counted(count, 'rule')}: {reason}"))
    if left := sum(count for _, count in ordered[_MOST_REASONS:]):
        say(f"not applicable: {counted(left, 'rule')} for other reasons; see table detection_run")


def _tell_times(runs: Sequence[RuleRun]) -> None:
    slowest = sorted(runs, key=lambda run: (-run.seconds, run.detection_id))[:_MOST_TIMES]
    say(f"{sum(run.seconds for run in runs):.2f} s in all Sigma rules, the slowest:")
    for run in slowest:
        say(escape_terminal(f"{run.seconds:8.3f} s  {run.title} ({run.detection_id})"))


def _explain(case: Path, queries: Path | None, form: Format, output: Path | None, memory: str) -> None:
    writers = {Format.TABLE: write_table, Format.CSV: write_csv, Format.JSON: write_json, Format.JSONL: write_jsonl}
    if form not in writers:
        raise typer.BadParameter("not for --explain-logsource", param_hint="--format")
    rows = list(explain_log_sources(log_sources(queries), case if case.exists() else None, memory))
    with open_output(output) as stream:
        writers[form](EXPLAINED_COLUMNS, rows, stream)
