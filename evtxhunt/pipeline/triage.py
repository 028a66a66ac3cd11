"""A shelf of collections to one case, a ranking of its hosts, a report for each, and files for other programs."""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import duckdb

from evtxhunt import __version__
from evtxhunt.discover import shown_path
from evtxhunt.errors import EvtxhuntError, OutputError
from evtxhunt.pipeline.fleet import Fleet, FleetProgress, Limits, Progress, run_children
from evtxhunt.pipeline.forks import Tell
from evtxhunt.pipeline.manifest import DEFAULT_MEMORY_LIMIT, open_manifest
from evtxhunt.pipeline.query import QuerySet, correlate, detect, open_case
from evtxhunt.pipeline.report import ensure_detected, write_host_reports
from evtxhunt.pipeline.shelf import find_collections
from evtxhunt.pipeline.sigma import RuleOptions
from evtxhunt.pipeline.triage_facts import gather_triage
from evtxhunt.pipeline.triage_score import EXPLANATION
from evtxhunt.render.tabular import write_csv, write_json_sections
from evtxhunt.render.triage_html import render_triage
from evtxhunt.resources import shipped_folder
from evtxhunt.store import open_store
from evtxhunt.triage_model import Triage

_MARK = "evtxhunt-triage"  # tells a folder of ours from another
_WALL_CLOCK = "wall_clock_of_runs"  # the section of a manifest that differs from run to run
_WATCH_SECONDS = 1.0
# A collection that is being copied grows; one that did not for so long is taken to be whole.
_STABLE_SECONDS = 5.0
_FINDINGS = """
    SELECT event_time, level, host, computer, user_name, detection_id, title, array_to_string(attack, ', ') AS attack,
        summary, cited.records, cited.record_count
    FROM finding LEFT JOIN (
        SELECT finding_id, count(*) AS record_count,
            array_to_string(list(words ORDER BY event_key)[:20], '; ') AS records
        FROM finding_evidence JOIN citation USING (event_key) GROUP BY finding_id
    ) AS cited USING (finding_id) WHERE allowed_reason IS NULL ORDER BY finding_id
"""
_HOST_COLUMNS = (
    "host",
    "score",
    "verdict",
    "critical",
    "high",
    "medium",
    "low",
    "informational",
    "sessions_in",
    "sessions_out",
    "hops_in",
    "hops_out",
    "serious_remarks",
    "missing_channels",
    "events",
    "first_time",
    "last_time",
    "collections",
    "report",
)


@dataclass(frozen=True, slots=True)
class TriageSummary:
    """How a triage ended."""

    hosts: int
    top: tuple[tuple[int, str, str], ...]  # score, host, why
    collections: Mapping[str, int]  # by state
    failures: tuple[tuple[str, str, str, str], ...]  # path, state, reason, what to do
    levels: Mapping[str, int]  # findings by level, worst first
    failed_detections: tuple[str, ...]
    is_complete: bool


def triage(
    paths: Sequence[Path],
    output: Path,
    query_set: QuerySet,
    limits: Limits,
    progress: FleetProgress,
    *,
    rules: RuleOptions | None = None,
    is_reread: bool = False,
    memory_limit: str = DEFAULT_MEMORY_LIMIT,
) -> TriageSummary:
    """Reads the collections at or below `paths` into the case in the folder `output` and writes all that is there.

    Collections that the case has already are read again only if `is_reread`: for what came into them since, or can be
    opened now. A collection that cannot be read is told and stops no other. Killed at any moment and run again, it ends
    with the same files. Raises EvtxhuntError.
    """
    if not hasattr(os, "fork"):
        raise EvtxhuntError("triage needs a system that can fork, such as Linux or macOS; use ingest and report here")
    collections = find_collections(paths, output)
    if not collections:
        raise EvtxhuntError(f"{', '.join(map(str, paths))}: nothing there; give the path of the collections")
    prepare_folder(output)
    fleet = Fleet(output, limits, progress)
    read = fleet.read(collections, again=collections if is_reread else ())
    return _finish(fleet, read, query_set, rules, memory_limit)


def watch(
    folder: Path,
    output: Path,
    query_set: QuerySet,
    limits: Limits,
    progress: FleetProgress,
    *,
    rules: RuleOptions | None = None,
    memory_limit: str = DEFAULT_MEMORY_LIMIT,
) -> Iterator[TriageSummary]:
    """Triages what comes into `folder`, again and again, until it is interrupted. Raises EvtxhuntError.

    A collection that changes after it was read is read once more; one that was read by an earlier run and has changed
    since then is not, until `triage` is told to by `is_reread`.
    """
    done: dict[Path, object] = {}
    seen: dict[Path, tuple[object, float]] = {}
    while True:
        now = time.monotonic()
        stable = []
        for path in find_collections([folder], output):
            state = _footprint(path)
            if seen.get(path, (None, 0.0))[0] != state:
                seen[path] = (state, now)
            elif now - seen[path][1] >= _STABLE_SECONDS and done.get(path) != state:
                stable.append(path)
        if stable:
            prepare_folder(output)
            fleet = Fleet(output, limits, progress)
            changed = [path for path in stable if path in done]
            done |= {path: seen[path][0] for path in stable}
            # All that came so far, so that what failed before is told again.
            yield _finish(fleet, fleet.read(sorted(done), again=changed), query_set, rules, memory_limit)
        progress.show([], f"waiting for collections in {shown_path(folder)}")
        time.sleep(_WATCH_SECONDS)


def _footprint(path: Path) -> tuple[int, int, int]:
    """What changes while a collection is being written: files, bytes, newest time."""
    count = size = newest = 0
    for folder, _, names in os.walk(path) if path.is_dir() else [(str(path.parent), [], [path.name])]:
        for name in names:
            try:
                status = Path(folder, name).stat()
            except OSError:
                continue  # gone again; it would be told when it is its turn
            count, size, newest = count + 1, size + status.st_size, max(newest, status.st_mtime_ns)
    return count, size, newest


def prepare_folder(output: Path) -> None:
    """Makes the folder; of another than a triage's that is not empty nothing is touched. Raises OutputError."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        mark = output / _MARK
        if not mark.exists():
            if any(output.iterdir()):
                raise OutputError(f"{output}: is not empty and no folder of a triage; give -o another one")
            mark.write_text(f"evtxhunt {__version__} writes here; see index.html\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{output}: cannot be written: {error.strerror}; give -o another path") from error


def _finish(
    fleet: Fleet, collections: Sequence[Progress], query_set: QuerySet, rules: RuleOptions | None, memory_limit: str
) -> TriageSummary:
    """Detects over the whole case and writes everything; each step in forks of this process."""
    failures = {item.name: (item.reason, item.what_to_do) for item in collections if item.state == "failed"}
    run = partial(run_children, progress=fleet.progress, fleet=collections)
    common = (fleet.folder, query_set, memory_limit)
    detecting = partial(_detect, *common, rules)
    [hosts] = (message["hosts"] for message in run([detecting], step="detecting") if "hosts" in message)
    jobs = min(fleet.limits.jobs, len(hosts))
    run([partial(_write_reports, *common, hosts[turn::jobs]) for turn in range(jobs)], step="writing reports")
    [told] = (
        message["summary"]
        for message in run([partial(_write_all, *common, failures)], step="writing index.html")
        if "summary" in message
    )
    return TriageSummary(
        hosts=told["hosts"],
        top=tuple(tuple(row) for row in told["top"]),
        collections=told["collections"],
        failures=tuple(tuple(row) for row in told["failures"]),
        levels=told["levels"],
        failed_detections=tuple(told["failed_detections"]),
        is_complete=told["is_complete"],
    )


class _Steps:
    """A StepProgress that tells another process."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._steps = self._begun = 0

    def start(self, steps: int) -> None:
        self._steps = steps

    def step(self, name: str) -> None:
        self._begun += 1
        self._tell({"step": f"detecting {self._begun}/{self._steps} {name}"})


def _detect(folder: Path, query_set: QuerySet, memory_limit: str, rules: RuleOptions | None, tell: Tell) -> None:
    case = folder / "case.duckdb"
    with open_store(case, memory_limit, __version__) as store:
        store.forget_unfinished_runs()
    if rules is not None:
        detect(case, query_set, rules=rules, memory_limit=memory_limit, progress=_Steps(tell))
    else:
        ensure_detected(case, query_set, memory_limit=memory_limit, progress=_Steps(tell))
    correlate(case, query_set, memory_limit=memory_limit)
    with open_case(case, query_set, memory_limit=memory_limit) as connection:
        hosts = gather_triage(connection, {}).hosts
    tell({"hosts": [(host.name, host.report) for host in hosts]})


def _write_reports(
    folder: Path, query_set: QuerySet, memory_limit: str, hosts: Sequence[tuple[str, str]], tell: Tell
) -> None:
    texts = write_host_reports(
        folder / "case.duckdb", query_set, [name for name, _ in hosts], memory_limit=memory_limit
    )
    for (_, file), text in zip(hosts, texts, strict=True):
        with _replacing(folder / file) as stream:
            stream.write(text)
        tell({})


def _write_all(
    folder: Path, query_set: QuerySet, memory_limit: str, failures: Mapping[str, tuple[str, str]], tell: Tell
) -> None:
    case = folder / "case.duckdb"
    with open_case(case, query_set, memory_limit=memory_limit) as connection:
        found = gather_triage(connection, failures)
        _write_findings(connection, folder / "findings.csv")
    with open_manifest(case, memory_limit=memory_limit) as sections, _replacing(folder / "manifest.json") as stream:
        write_json_sections((section for section in sections if section[0] != _WALL_CLOCK), stream)
    with _replacing(folder / "hosts.csv") as stream:
        write_csv(_HOST_COLUMNS, host_rows(found), stream)
    with _replacing(folder / "triage.json") as stream:
        json.dump(asdict(found), stream, indent=1, default=_plain)
        stream.write("\n")
    wanted = {host.report for host in found.hosts}
    for path in (folder / "hosts").glob("*"):
        if f"hosts/{path.name}" not in wanted:
            path.unlink()
    with _replacing(folder / "index.html") as stream:  # last: what it links to is there
        stream.write(render_triage(found, EXPLANATION, shipped_folder("templates")))
    tell({"summary": _summary(found)})


def _summary(found: Triage) -> dict[str, object]:
    states = [item.state for item in found.collections]
    return {
        "hosts": len(found.hosts),
        "top": [
            (host.score, host.name, "; ".join(part.text for part in host.parts[:2]) or host.verdict)
            for host in found.hosts[:10]
        ],
        "collections": {state: states.count(state) for state in sorted(set(states))},
        "failures": [
            (item.path, item.state, item.reason or "", item.what_to_do or "")
            for item in found.collections
            if item.state not in ("complete", "no evidence")
        ][:50],
        "levels": dict(found.levels),
        "failed_detections": [f"{name}: {error}" for name, error in found.failed_detections],
        "is_complete": found.is_complete,
    }


def _write_findings(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    result = connection.execute(_FINDINGS)
    columns = [column[0] for column in result.description or []]
    with _replacing(path) as stream:
        write_csv(columns, iter(result.fetchone, None), stream)


def host_rows(found: Triage) -> Iterator[tuple[object, ...]]:
    """The lines of hosts.csv."""
    for host in found.hosts:
        levels = {level: 0 for level, _ in found.levels}
        for item in host.findings:
            levels[item.level] += item.findings
        yield (
            host.name,
            host.score,
            host.verdict,
            *levels.values(),
            host.sessions_in,
            host.sessions_out,
            host.hops_in,
            host.hops_out,
            "; ".join(f"{reason} {logs}" for reason, logs in host.serious_remarks) or None,
            "; ".join(host.missing_channels) or None,
            host.events,
            host.first_time,
            host.last_time,
            "; ".join(host.collections),
            host.report,
        )


def _plain(value: Any) -> str:
    assert isinstance(value, datetime)  # all else in a Triage is plain
    return value.isoformat(timespec="microseconds") + "Z"


@contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    """A new file that takes the place of the one at `path` when it is written whole. Raises OutputError."""
    new = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(exist_ok=True)
        with new.open("w", encoding="utf-8", newline="") as stream:
            yield stream
        new.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}; give -o another path") from error
