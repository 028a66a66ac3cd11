"""Questions to a case: canned queries, detections, Sigma rules, ad-hoc SQL."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow as pa

from evtxhunt import __version__
from evtxhunt import detect as stage
from evtxhunt.allow import read_allow_list, set_aside
from evtxhunt.case_file import closing_case, connect_case, holds_recovered
from evtxhunt.correlate import build_tables, is_current
from evtxhunt.detect import RowStream, ask, find_query, run_query
from evtxhunt.errors import TableError
from evtxhunt.model import DetectionRun, OnStep, Query, RuleRun, no_step
from evtxhunt.pipeline.manifest import DEFAULT_MEMORY_LIMIT, versions
from evtxhunt.pipeline.recovered import mark_findings, with_origins
from evtxhunt.pipeline.sigma import RuleOptions, load_rule_set, log_sources, run_rules
from evtxhunt.query_file import FOLDERS, Kind, check_unique, names_in, query_paths, read_query, used_by
from evtxhunt.resources import queries_folder, shipped_folder
from evtxhunt.sigma.model import RuleSet
from evtxhunt.store import open_store

# What the commands show of every case, each in a fixed order.
SOURCES_SQL = """
    SELECT source_file_id, path, host, computer, channel, status, expected, parsed, rescued, failed, slack, carved,
        duplicate, size, sha256
    FROM source_file ORDER BY path, source_file_id
"""
TOTALS_SQL = """
    SELECT (SELECT count(*) FROM counted_event), (SELECT count(*) FROM source_file),
        (SELECT count(DISTINCT host) FROM counted_event),
        (SELECT min(event_time) FROM counted_event), (SELECT max(event_time) FROM counted_event),
        (SELECT count(*) FROM parse_failure WHERE scope = 'record'), (SELECT count(*) FROM skipped_file),
        (SELECT count(*) FROM finding)
"""
# Logs by the gravest remark on them.
REMARKS_SQL = """
    SELECT count(*), count(*) FILTER (worst = 1), count(*) FILTER (worst = 2), count(*) FILTER (worst = 3)
    FROM (SELECT min(list_position(['serious', 'notable', 'remark'], severity)) AS worst FROM log_integrity
        GROUP BY source_file_id)
"""
FINDINGS_SQL = """
    SELECT event_time, level, host, user_name, detection_id, summary
    FROM finding WHERE list_position($levels, level) > 0 AND allowed_reason IS NULL ORDER BY finding_id
"""

# The argument of a run of `detect` that counted recovered records; others have none such.
CHOICE = "include_recovered"
# Findings by level, without those that the allow-list set aside.
SHOWN_COUNTS_SQL = "SELECT level, count(*) FROM finding WHERE allowed_reason IS NULL GROUP BY level"


def allowed_sql(condition: str = "true") -> str:
    """How many findings the allow-list set aside, by detection and reason, among those that `condition` selects."""
    return (
        "SELECT detection_id, allowed_reason, count(*) FROM finding"
        f" WHERE allowed_reason IS NOT NULL AND {condition} GROUP BY ALL ORDER BY ALL"
    )


@dataclass(frozen=True, slots=True)
class QuerySet:
    """The views, correlated tables, detections and hunts to use, and the SQL of the macros that they share.

    `include_recovered`: they count events from slack and carved ones too.
    """

    macros_sql: str
    queries: tuple[Query, ...]
    include_recovered: bool = False
    folder: Path | None = None  # the one that was asked for

    def of_kind(self, kind: Kind) -> list[Query]:
        """Sorted by id."""
        return [query for query in self.queries if query.kind == kind]


def load_query_set(override: Path | None = None, *, include_recovered: bool = False) -> QuerySet:
    """Reads the query files of `override`, else $EVTXHUNT_QUERIES, else those shipped.

    What that folder lacks of views/, detections/, hunts/ and macros.sql is taken from the shipped ones. Raises
    QueryFileError at the first file that breaks the format.
    """
    folder = queries_folder(override)
    queries = [
        read_query(path, kind) for kind, name in FOLDERS.items() for path in query_paths(_holder(folder, name), kind)
    ]
    check_unique(queries)
    macros = _holder(folder, "macros.sql") / "macros.sql"
    return QuerySet(macros.read_text(encoding="utf-8"), tuple(queries), include_recovered, override)


def _holder(folder: Path, name: str) -> Path:
    return folder if (folder / name).exists() else shipped_folder("queries")


@contextmanager
def open_case(
    case: Path,
    query_set: QuerySet,
    *,
    memory_limit: str = DEFAULT_MEMORY_LIMIT,
    write: bool = False,
    run_next: Sequence[Query] = (),
    on_step: OnStep = no_step,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the case with macros and views made; read-only unless `write`.

    With `run_next` only the views that these queries read are made, and the costly ones of them computed at once.
    Raises CaseError, QueryError.
    """
    connection = connect_case(case, memory_limit, write=write)
    with closing_case(connection, case, "written" if write else "read"):
        views = query_set.of_kind("view")
        stage.prepare_connection(
            connection,
            query_set.macros_sql,
            views,
            include_recovered=query_set.include_recovered,
            run_next=run_next,
            on_step=on_step,
        )
        yield connection


class StepProgress(Protocol):
    """Hears how correlation and detection get on."""

    def start(self, steps: int) -> None:
        """So many views, tables and detections are to be computed."""

    def step(self, name: str) -> None:
        """The one of this id comes next."""


def correlate(
    case: Path,
    query_set: QuerySet,
    *,
    memory_limit: str = DEFAULT_MEMORY_LIMIT,
    progress: StepProgress | None = None,
) -> None:
    """Makes the correlated tables of the case unless they are up to date. Raises CaseError, QueryError, TableError."""
    with _correlated(case, query_set, memory_limit, progress):
        pass


def uses_tables(sql: str, query_set: QuerySet) -> bool:
    """Whether the SQL reads what `correlate` makes, by itself or through views."""
    used = used_by(sql, query_set.queries)
    return any(query.kind == "table" for query in used) or reads(sql, query_set, "decoded_text")


def reads(sql: str, query_set: QuerySet, table: str) -> bool:
    """Whether the SQL names the table, by itself or through views and correlated tables."""
    return any(table in names_in(text) for text in (sql, *(query.sql for query in used_by(sql, query_set.queries))))


@contextmanager
def _correlated(
    case: Path,
    query_set: QuerySet,
    memory_limit: str,
    progress: StepProgress | None,
    *,
    run_next: Sequence[Query] = (),
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the case with up-to-date tables. If they had to be made, it is the one that made them.

    So what was computed for the tables serves the queries that follow. Raises CaseError, QueryError, TableError.
    """
    reading = connect_case(case, memory_limit)
    with closing_case(reading, case, "read"):
        sha256 = correlation_sha256(query_set, counts_recovered(reading, query_set))
        current = is_current(reading, sha256)
    tables = query_set.of_kind("table")
    views = [query for query in query_set.of_kind("view") if query.id == "encoded_text"]
    steps = len(run_next)
    run_next = list(run_next) if current else [*tables, *views, *run_next]
    if progress:
        steps += len(stage.computed_views(query_set.of_kind("view"), run_next)) + (0 if current else len(tables))
        progress.start(steps)
    on_step = progress.step if progress else no_step
    with open_case(
        case, query_set, memory_limit=memory_limit, write=not current, run_next=run_next, on_step=on_step
    ) as connection:
        if not current:
            build_tables(connection, tables, query_set.of_kind("detection"), sha256, on_step)
        yield connection


@dataclass(frozen=True, slots=True)
class Detected:
    """How every detection and every Sigma rule ended. The findings of rules are in the case only."""

    runs: list[DetectionRun]
    rule_runs: tuple[RuleRun, ...] = ()
    rule_set: RuleSet | None = None


def detect(
    case: Path,
    query_set: QuerySet,
    *,
    rules: RuleOptions | None = None,
    allow: Path | None = None,
    timeout_seconds: float | None = None,
    memory_limit: str = DEFAULT_MEMORY_LIMIT,
    progress: StepProgress | None = None,
) -> Detected:
    """Correlates, runs every detection and Sigma rule and stores what they found in place of earlier findings.

    What the allow-list fits is stored with its reason. A correlated table that cannot be made is a failed run like that
    of a detection: the others go on. Raises CaseError, AllowListError, RulesError.
    """
    detections = query_set.of_kind("detection")
    entries = read_allow_list(allow) if allow else ()
    rule_set = load_rule_set(rules) if rules else None
    sources = log_sources(query_set.folder) if rules else None
    for entry in entries:
        if not _is_rule(entry.detection, rule_set):
            find_query(query_set.queries, entry.detection)  # a name that is none would allow nothing in silence
    try:
        with _correlated(case, query_set, memory_limit, progress, run_next=detections) as connection:
            is_counted = counts_recovered(connection, query_set)
            runs = _run_all(connection, detections, timeout_seconds, progress, is_counted)
    except TableError as error:
        table = next(query for query in query_set.of_kind("table") if query.id == error.table_id)
        with open_case(case, query_set, memory_limit=memory_limit, run_next=detections) as connection:
            is_counted = counts_recovered(connection, query_set)
            runs = _run_all(connection, detections, timeout_seconds, progress, is_counted)
        runs.insert(0, DetectionRun(table, None, str(error), 0.0))
    runs = [replace(run, findings=set_aside(run.findings, entries)) if run.findings else run for run in runs]
    arguments: dict[str, object] = {"allow": hashlib.sha256(allow.read_bytes()).hexdigest()} if allow else {}
    if is_counted:
        arguments[CHOICE] = True
    with ExitStack() as stack:
        rule_runs: tuple[RuleRun, ...] = ()
        batches: Iterable[pa.RecordBatch] = ()
        if rules and rule_set and sources:
            rule_runs, batches = stack.enter_context(
                run_rules(
                    case,
                    rule_set,
                    rules,
                    sources,
                    entries,
                    timeout_seconds=timeout_seconds,
                    memory_limit=memory_limit,
                    include_recovered=is_counted,
                    on_step=progress.step if progress else no_step,
                )
            )
            states = Counter(run.state for run in rule_runs)
            arguments["rules"] = {
                "sha256": hashlib.sha256((rule_set.sha256 + sources.text).encode()).hexdigest(),
                "counts": {state: states[state] for state in sorted(states)},
                **rules.arguments(),
            }
        store = stack.enter_context(open_store(case, memory_limit, __version__))
        run_id = store.begin_run("detect", arguments, versions())
        store.replace_findings(runs, rule_runs, batches)
        store.end_run(run_id, rule_set_sha256(query_set))
    return Detected(runs, rule_runs, rule_set)


def _is_rule(name: str, rule_set: RuleSet | None) -> bool:
    """Whether it is a Sigma rule's id; where no rules are at hand, whether it looks like one."""
    if rule_set is None:
        return name.count("-") == 4 or name.lower().endswith((".yml", ".yaml"))
    return any(header.rule_id == name for header in rule_set.headers)


def _run_all(
    connection: duckdb.DuckDBPyConnection,
    detections: Sequence[Query],
    timeout_seconds: float | None,
    progress: StepProgress | None,
    is_recovered_counted: bool,
) -> list[DetectionRun]:
    runs = []
    for query in detections:
        if progress:
            progress.step(query.id)
        runs.append(stage.run_detection(connection, query, timeout_seconds))
    return mark_findings(connection, runs) if is_recovered_counted else runs


def findings_are_current(connection: duckdb.DuckDBPyConnection, query_set: QuerySet) -> bool:
    """Whether the stored findings are those of these rules, of this choice and of all that is in the case."""
    row = connection.execute(
        "SELECT command, rule_set_sha256, arguments FROM run WHERE command IN ('ingest', 'detect')"
        " ORDER BY run_id DESC LIMIT 1"
    ).fetchone()
    if row is None or row[:2] != ("detect", rule_set_sha256(query_set)):
        return False
    return (CHOICE in json.loads(row[2])) == counts_recovered(connection, query_set)


@contextmanager
def run_hunt(
    connection: duckdb.DuckDBPyConnection,
    query_set: QuerySet,
    query: Query,
    values: Mapping[str, object],
    timeout_seconds: float | None,
    *,
    columns: str = "*",
) -> Iterator[RowStream]:
    """Runs a canned query and gives these of its columns, as SQL; where recovered records count, then `origin`.

    It tells of a row whose records are named: 'live', 'live, slack', ... Raises QueryError.
    """
    if counts_recovered(connection, query_set):
        nothing = replace(query, sql=f"SELECT * FROM ({query.sql}) LIMIT 0")
        with run_query(connection, nothing, values, timeout_seconds) as rows:
            names, _ = rows.columns, list(rows)  # to its end: only then may the connection be asked anew
        query = replace(query, sql=with_origins(query.sql, names, columns))
    elif columns != "*":
        query = replace(query, sql=f"SELECT {columns} FROM ({query.sql})")
    with run_query(connection, query, values, timeout_seconds) as rows:
        yield rows


def counts_recovered(connection: duckdb.DuckDBPyConnection, query_set: QuerySet) -> bool:
    """Whether events from slack or carved ones are counted: they are asked for, and the case has some."""
    return query_set.include_recovered and holds_recovered(connection)


def correlation_sha256(query_set: QuerySet, is_recovered_counted: bool) -> str:
    """One hash over what correlated tables are made by: macros, views, tables, what detections require, the choice."""
    queries = [*query_set.of_kind("view"), *query_set.of_kind("table")]
    parts = [query_set.macros_sql, *(f"{query.kind} {query.id} {query.sha256}" for query in queries)]
    parts += [f"{query.id} {query.title} {query.level} {query.requires}" for query in query_set.of_kind("detection")]
    parts += ["with recovered records"] if is_recovered_counted else []
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def rule_set_sha256(query_set: QuerySet) -> str:
    """One hash over the macros and every query file: the same rules give the same."""
    parts = [query_set.macros_sql, *(f"{query.kind} {query.id} {query.sha256}" for query in query_set.queries)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


__all__ = [
    "FINDINGS_SQL",
    "REMARKS_SQL",
    "SHOWN_COUNTS_SQL",
    "SOURCES_SQL",
    "TOTALS_SQL",
    "Detected",
    "QuerySet",
    "RowStream",
    "allowed_sql",
    "ask",
    "correlate",
    "counts_recovered",
    "detect",
    "find_query",
    "findings_are_current",
    "load_query_set",
    "open_case",
    "rule_set_sha256",
    "run_hunt",
    "run_query",
    "uses_tables",
]
