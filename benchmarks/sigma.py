"""All Sigma rules against the ingest of the same case in the same run, over numbers of rules and of events.

python -m benchmarks.sigma [--events N] [--rules DIR]... [--runs N] [--no-sql]
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import duckdb

from benchmarks.corpus import REPOSITORY, seed_logs
from benchmarks.resident import peak_resident
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.sigma import EngineName, RuleOptions, load_rule_set, log_sources, run_rules
from samples.bulk import write_weeks

# Texts of free length: made different in every event, so that no one gains by looking at each text once.
_FREE = {"CommandLine": "command_line", "ParentCommandLine": "parent_command_line", "TargetFilename": "target_filename"}
_FREE_ELSEWHERE = ("ScriptBlockText", "HostApplication", "Payload", "ServiceFileName", "ImagePath", "TaskContent")


def ingest_all(folder: Path, case: Path) -> dict[str, Any]:
    """A whole ingest into a new case."""
    started = time.perf_counter()
    summary = ingest([folder], case)
    return {"seconds": time.perf_counter() - started, "events": summary.events}


def make_distinct(case: Path) -> None:
    """Begins free texts with a number of their own; the events then lie as an ingest lays them."""
    data = "event_data"
    for name in (*_FREE, *_FREE_ELSEWHERE):
        data = f"""replace({data}, '"{name}":"', '"{name}":"' || event_key || ' ')"""
    columns = "".join(f", event_key || ' ' || {column} AS {column}" for column in _FREE.values())
    with duckdb.connect(str(case)) as connection:
        connection.execute(
            f"CREATE TEMP TABLE changed AS SELECT * REPLACE ({data} AS event_data{columns}) FROM event;"
            " DELETE FROM event; CHECKPOINT; INSERT INTO event FROM changed ORDER BY event_key; CHECKPOINT"
        )


def detect_all(case: Path, rules: list[Path], number: int, engine: EngineName, cache: Path) -> dict[str, Any]:
    """The first `number` rules by the hash of their ids, from YAML or cache to findings; nothing is stored."""
    started = time.perf_counter()
    options = RuleOptions(tuple(rules), engine=engine, cache=cache)
    rule_set = load_rule_set(options)
    loading = time.perf_counter() - started
    ordered = sorted(rule_set.rules, key=lambda rule: hashlib.sha256(rule.header.rule_id.encode()).digest())
    chosen = {rule.header.rule_id for rule in ordered[:number]}
    rule_set = replace(rule_set, rules=tuple(rule for rule in rule_set.rules if rule.header.rule_id in chosen))
    found = []
    with run_rules(case, rule_set, options, log_sources(None), (), timeout_seconds=None, memory_limit="1GB") as (
        runs,
        batches,
    ):
        found += [batch.select(["detection_id", "evidence"]) for batch in batches]
    seconds = time.perf_counter() - started
    # The engines find the same in different orders.
    rows = sorted((row["detection_id"], row["evidence"]) for batch in found for row in batch.to_pylist())
    return {
        "rules": sum(run.state == "ran" for run in runs),
        "loading": loading,
        "seconds": seconds,
        "findings": len(rows),
        "found": hashlib.sha256(repr(rows).encode()).hexdigest()[:16],
        "resident": peak_resident(),
    }


def in_own_process(**job: object) -> dict[str, Any]:
    """Runs one job in a fresh process, so that memory and caches of one do not help the other."""
    command = [sys.executable, "-m", "benchmarks.sigma", "--job", json.dumps(job, default=str)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def run_job(job: dict[str, Any]) -> dict[str, Any]:
    """In the process of its own."""
    case = Path(job["case"])
    if "folder" in job:
        return ingest_all(Path(job["folder"]), case)
    engine = next(name for name in get_args(EngineName) if name == job["engine"])
    rules = [Path(path) for path in job["rules"]]
    return detect_all(case, rules, int(job["number"]), engine, Path(job["cache"]))


def measure(name: str, folder: Path, rules: list[Path], counts: list[int], work: Path, with_sql: bool) -> None:
    """Prints a line for each number of rules, as a ratio to the ingest of the same logs just before."""
    case, cache = work / "case.duckdb", work / "rules-cache"
    case.unlink(missing_ok=True)
    ours = in_own_process(case=case, folder=folder)
    make_distinct(case)
    print(f"{name}: {ours['events']:,} events, ingest {ours['seconds']:.1f} s")
    cache.unlink(missing_ok=True)
    for number in counts:
        for engine in ("fast", "sql") if with_sql and number == max(counts) else ("fast",):
            found = in_own_process(case=case, rules=rules, number=number, engine=engine, cache=cache)
            print(
                f"  {found['rules']:5,} rules, {engine:4}: {found['seconds']:6.1f} s"
                f" = {found['seconds'] / ours['seconds']:.2f} of the ingest, {found['loading']:.1f} s to read them;"
                f" {found['findings']:,} findings ({found['found']}), {found['resident'] / 1e6:,.0f} MB resident"
            )


def main() -> None:
    """Prints the curves; both engines must show the same findings."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--rules", type=Path, action="append", help="default: the rules of $EVTXHUNT_CORPORA/sigma")
    options.add_argument("--runs", type=int, default=1)
    options.add_argument("--no-sql", action="store_true", help="not the slow way of --engine sql on the larger cases")
    options.add_argument("--job", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.job:
        print(json.dumps(run_job(json.loads(given.job))))
        return
    root = Path(os.environ.get("EVTXHUNT_CORPORA") or REPOSITORY.parent / "shared")
    rules = given.rules or sorted((root / "sigma").glob("rules*"))
    if not rules:
        print("no Sigma rules: give --rules, or $EVTXHUNT_CORPORA with a folder sigma")
        return
    for _ in range(given.runs):
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            if (root / "corpora").is_dir():
                measure(f"{len(seed_logs())} real logs", root / "corpora", rules, [100, 500, 100_000], work, True)
            for events in (given.events // 10, given.events // 3, given.events):
                folder = work / f"weeks{events}"
                write_weeks(folder, 8, events=events)
                numbers = [100, 500, 100_000] if events == given.events else [100_000]
                measure("weeks", folder, rules, numbers, work, not given.no_sql)


if __name__ == "__main__":
    main()
