"""Sigma rules on a case: reads them, runs them, keeps their findings on disk until they are stored."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import IO, Literal

import duckdb
import pyarrow as pa

from evtxhunt.allow import Allowed, set_aside
from evtxhunt.case_file import closing_case, connect_scratch
from evtxhunt.errors import CaseError, RulesError
from evtxhunt.finding_rows import FINDING_SCHEMA, finding_batch
from evtxhunt.model import LEVELS, Finding, Level, OnStep, RuleRun, no_step
from evtxhunt.pipeline.recovered import marked_findings
from evtxhunt.resources import queries_folder, shipped_folder
from evtxhunt.sigma.cache import cache_key, read_cache, write_cache
from evtxhunt.sigma.candidates import Proposer
from evtxhunt.sigma.catalogue import Catalogue, choose_events, read_catalogue
from evtxhunt.sigma.engine_sql import BATCH_RULES, SqlEngine
from evtxhunt.sigma.files import rule_files
from evtxhunt.sigma.logsource import LogSources, describe_fields, read_log_sources, read_placeholders, shown_sources
from evtxhunt.sigma.model import RuleHeader, RuleSet
from evtxhunt.sigma.run import RuleRunner

LOG_SOURCES_FILE = "sigma_logsources.toml"
# What SigmaHQ has given up, or cannot be asked by anyone: only run if --status asks for it.
_STATUSES_LEFT_OUT = ("deprecated", "unsupported")
_BATCH_FINDINGS = 2048
_MARKING_MEMORY = "128MB"  # to look up the records of one batch

EngineName = Literal["auto", "fast", "sql"]
# Below this many events `auto` asks each rule of all events: looking for texts first costs more than it saves.
FAST_EVENTS = 2_000


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """Which rules to run, and how."""

    paths: tuple[Path, ...]
    level: Level = "informational"  # this and above
    statuses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()  # patterns with * and ?, as the next two
    ids: tuple[str, ...] = ()  # rule_id, name or file
    excluded: tuple[str, ...] = ()
    placeholders: Path | None = None
    engine: EngineName = "auto"
    cache: Path | None = None  # where the rules are kept once they were read
    is_timed: bool = False  # each rule is asked by itself, so that its time is known

    def arguments(self) -> dict[str, object]:
        """What shaped the result, for the manifest."""
        return {
            "level": self.level,
            "status": sorted(self.statuses),
            "tag": sorted(self.tags),
            "id": sorted(self.ids),
            "exclude": sorted(self.excluded),
            "engine": self.engine,
        }


def load_rule_set(options: RuleOptions) -> RuleSet:
    """Reads the rules. Raises RulesError if a path cannot be read, or an id that was asked for is not there."""
    placeholders = read_placeholders(options.placeholders) if options.placeholders else {}
    files = tuple(rule_files(options.paths))
    key = cache_key(files, placeholders)
    rule_set = read_cache(options.cache, key) if options.cache else None
    if rule_set is None:
        from evtxhunt.sigma.load import read_rules  # pySigma takes a fifth of a second to import

        rule_set = read_rules(files, placeholders)
        if options.cache:
            write_cache(options.cache, key, rule_set)
    for wanted in options.ids:
        if not any(_is_called(header, (wanted,)) for header in rule_set.headers):
            raise RulesError(
                f"{wanted}: no such rule in {', '.join(map(str, options.paths))}; --id takes an id, a name or a file"
            )
    return rule_set


def left_out(rule_set: RuleSet, options: RuleOptions) -> frozenset[str]:
    """rule_id of the rules that the options do not ask for."""
    # What could not be parsed has no level, status or tags to choose by.
    unparsed = {problem.header.rule_id for problem in rule_set.problems if not problem.is_parsed}
    return frozenset(
        header.rule_id
        for header in rule_set.headers
        if not (_is_named(header, options) and (header.rule_id in unparsed or _is_wanted(header, options)))
    )


def _is_wanted(header: RuleHeader, options: RuleOptions) -> bool:
    status = header.status or ""
    return (
        LEVELS.index(header.level) >= LEVELS.index(options.level)
        and (status in options.statuses if options.statuses else status not in _STATUSES_LEFT_OUT)
        and (not options.tags or any(_fits(tag, options.tags) for tag in header.tags))
    )


def _is_named(header: RuleHeader, options: RuleOptions) -> bool:
    return (not options.ids or _is_called(header, options.ids)) and not _is_called(header, options.excluded)


def _is_called(header: RuleHeader, patterns: Sequence[str]) -> bool:
    return any(_fits(name, patterns) for name in (header.rule_id, header.name, header.file) if name)


def _fits(text: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(text.lower(), pattern.lower()) for pattern in patterns)


def log_sources(override: Path | None) -> LogSources:
    """The table of the folder of queries, where it has none the shipped one. Raises RulesError."""
    path = queries_folder(override) / LOG_SOURCES_FILE
    return read_log_sources(path if path.exists() else shipped_folder("queries") / LOG_SOURCES_FILE)


@contextmanager
def run_rules(
    case: Path,
    rule_set: RuleSet,
    options: RuleOptions,
    sources: LogSources,
    allowed: Sequence[Allowed],
    *,
    timeout_seconds: float | None,
    memory_limit: str,
    include_recovered: bool = False,
    on_step: OnStep = no_step,
) -> Iterator[tuple[tuple[RuleRun, ...], Iterator[pa.RecordBatch]]]:
    """How every rule ended, and the findings as batches of FINDING_SCHEMA, from a file that is gone afterwards.

    Raises CaseError.
    """
    with _spool_beside(case) as spool:
        connection = connect_scratch(case, memory_limit)
        # Findings are read from the first while they are marked.
        marking = connect_scratch(case, _MARKING_MEMORY)
        with closing_case(connection, case, "read"), closing_case(marking, case, "read"):
            is_fast = _is_fast(connection, options)
            is_together = is_fast and not options.is_timed
            runner = RuleRunner(
                connection,
                rule_set,
                sources,
                lambda scratch: SqlEngine(scratch, timeout_seconds, batch=BATCH_RULES if is_together else 1),
                left_out(rule_set, options),
                include_recovered=include_recovered,
                make_proposer=Proposer if is_fast else None,
                on_step=on_step,
            )
            options_of_file = pa.ipc.IpcWriteOptions(compression="zstd")
            with pa.ipc.new_stream(spool, FINDING_SCHEMA, options=options_of_file) as writer:
                for findings in _batches(runner.findings()):
                    told = marked_findings(marking, findings) if include_recovered else findings
                    writer.write_batch(finding_batch(set_aside(told, allowed), "sigma"))
            runs = runner.runs()
        spool.seek(0)
        with pa.ipc.open_stream(spool) as reader:
            yield runs, iter(reader)


@contextmanager
def _spool_beside(case: Path) -> Iterator[IO[bytes]]:
    """A file without a name on the disk of the case, which is expected to have room. Raises CaseError."""
    try:
        with tempfile.TemporaryFile(dir=case.parent, prefix=".evtxhunt-") as spool:
            yield spool
    except OSError as error:
        raise CaseError(f"{case}: findings cannot be written beside the case: {error.strerror or error}") from error


def _is_fast(connection: duckdb.DuckDBPyConnection, options: RuleOptions) -> bool:
    if options.engine != "auto":
        return options.engine == "fast"
    [row] = connection.execute("SELECT count(*) FROM event").fetchall()
    return int(row[0]) >= FAST_EVENTS


def _batches(findings: Iterator[Finding]) -> Iterator[list[Finding]]:
    while batch := list(islice(findings, _BATCH_FINDINGS)):
        yield batch


# What explain_log_sources() tells of each place.
EXPLAINED_COLUMNS = ("category_or_service", "channel", "event_id", "fields", "events")


def explain_log_sources(sources: LogSources, case: Path | None, memory_limit: str) -> Iterator[tuple[object, ...]]:
    """Each place that the table knows and how many events the case has there; None without a case. Raises CaseError."""
    catalogue: Catalogue | None = None
    if case is not None:
        connection = connect_scratch(case, memory_limit)
        with closing_case(connection, case, "read"):
            choose_events(connection, include_recovered=False)
            catalogue = read_catalogue(connection)
    for place in shown_sources(sources):
        conditions = "; ".join(f"only {name} {', '.join(values)}" for name, values in place.where)
        yield (
            place.category or place.service,
            ", ".join(place.channels),
            ", ".join(map(str, place.event_ids)),
            "; ".join(text for text in (conditions, describe_fields(place)) if text),
            sum(kind.events for kind in catalogue.kinds_of(place)) if catalogue else None,
        )
