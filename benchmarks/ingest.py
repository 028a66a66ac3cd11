"""Ingest against the limit that the parser alone sets, and the detections against the ingest, in one run.

python -m benchmarks.ingest [--size MB] [--runs N] [--quiet-weeks]
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import evtx
import pyarrow as pa

from benchmarks.corpus import make_corpus
from benchmarks.resident import peak_resident
from evtxhunt.parse import LogReader
from evtxhunt.record_rows import RECORD_SCHEMA
from samples.bulk import write_weeks


def parse_only(paths: list[Path]) -> dict[str, float]:
    """Drains every log through the fast parser as JSON and keeps nothing."""
    records = 0
    started = time.perf_counter()
    for path in paths:
        for _ in evtx.PyEvtxParser(str(path)).records_json():
            records += 1
    return {"seconds": time.perf_counter() - started, "records": records}


class TrustingReader(LogReader):
    """What an ingest would read with if it trusted the parser: the same rows, no walk, no checksums, no accounts."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        ids: list[int] = []
        texts: list[str] = []
        records: Any = evtx.PyEvtxParser(str(self._source.path)).records_json()
        for record in records:
            ids.append(record["event_record_id"])
            texts.append(record["data"])
            if len(texts) == 4096:
                yield _batch(ids, texts)
                ids, texts = [], []
        if texts:
            yield _batch(ids, texts)


def _batch(ids: list[int], texts: list[str]) -> pa.RecordBatch:
    nothing = pa.nulls(len(ids), pa.uint64())
    origin = pa.repeat(pa.scalar("live", pa.string()), len(ids))
    columns = [origin, pa.array(ids, pa.uint64()), nothing, nothing.cast(pa.int64()), pa.array(texts, pa.string())]
    return pa.record_batch(columns, schema=RECORD_SCHEMA)


def ingest_trusting(folder: Path, case: Path) -> dict[str, float]:
    """A whole ingest with that reader."""
    import evtxhunt.pipeline.ingest as stage

    stage.LogReader = TrustingReader  # type: ignore[attr-defined]  # in this process of its own alone
    started = time.perf_counter()
    stage.ingest([folder], case)
    return {"seconds": time.perf_counter() - started}


def ingest_all(folder: Path, case: Path) -> dict[str, Any]:
    """A whole ingest into a new case, closed and checkpointed; then correlation alone; `detect`, which correlates too;
    and `detect` again, which finds the tables up to date."""
    from evtxhunt.pipeline.ingest import ingest
    from evtxhunt.pipeline.query import correlate, detect, load_query_set

    started = time.perf_counter()
    summary = ingest([folder], case)
    seconds = time.perf_counter() - started
    resident = peak_resident()
    database = case.stat().st_size
    query_set = load_query_set()
    uncorrelated = case.with_suffix(".copy")
    shutil.copy(case, uncorrelated)
    started = time.perf_counter()
    correlate(case, query_set)
    correlating = time.perf_counter() - started
    started = time.perf_counter()
    detect(uncorrelated, query_set)
    whole = time.perf_counter() - started
    started = time.perf_counter()
    runs = detect(uncorrelated, query_set).runs
    again = time.perf_counter() - started
    slowest = sorted(runs, key=lambda run: -run.seconds)[:5]
    return {
        "slowest": ", ".join(f"{run.query.id} {run.seconds:.2f} s" for run in slowest),
        "correlate": correlating,
        "seconds": seconds,
        "records": summary.events,
        "resident": resident,
        "database": database,
        "detect": whole,
        "again": again,
    }


def in_own_process(job: str, folder: Path) -> dict[str, Any]:
    """Runs one job in a fresh process, so that memory and caches of one do not help the other."""
    command = [sys.executable, "-m", "benchmarks.ingest", "--job", job, "--folder", str(folder)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def main() -> None:
    """Prints one line a run and the medians."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--size", type=int, default=1024, help="MB of logs")
    options.add_argument("--runs", type=int, default=3)
    options.add_argument(
        "--quiet-weeks", action="store_true", help="synthetic weeks of 40 hosts, not copies of real logs"
    )
    options.add_argument("--job", choices=["parse", "trusting", "ingest"], help=argparse.SUPPRESS)
    options.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.job:
        paths = sorted(given.folder.rglob("*.evtx"))
        case = given.folder / "case.duckdb"
        case.unlink(missing_ok=True)
        jobs = {"trusting": ingest_trusting, "ingest": ingest_all}
        print(json.dumps(jobs[given.job](given.folder, case) if given.job in jobs else parse_only(paths)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.quiet_weeks:
            size = write_weeks(folder, 40, size=given.size * 10**6).size
        else:
            _, size = make_corpus(folder, given.size * 10**6)
        print(f"{size / 1e6:,.0f} MB of logs on {os.cpu_count()} cores")
        limits, speeds, ratios = [], [], []
        for _ in range(given.runs):
            limit = in_own_process("parse", folder)
            trusting = in_own_process("trusting", folder)
            ours = in_own_process("ingest", folder)
            limits.append(size / 1e6 / limit["seconds"])
            speeds.append(size / 1e6 / ours["seconds"])
            ratios.append(speeds[-1] / limits[-1])
            print(
                f"parse only {limits[-1]:.0f} MB/s, ingest {speeds[-1]:.0f} MB/s = {ratios[-1]:.2f} of it;"
                f" {ours['records']:,.0f} events, {ours['resident'] / 1e6:,.0f} MB resident,"
                f" database {ours['database'] / 1e6:,.0f} MB"
            )
            lost = 1 - trusting["seconds"] / ours["seconds"]
            print(f"trusting the parser it takes {trusting['seconds']:.1f} s: accounts cost {lost:.2f} (limit 0.10)")
            shares = {part: ours[part] / ours["seconds"] for part in ("correlate", "detect", "again")}
            print(
                f"of the ingest's {ours['seconds']:.1f} s: correlation alone {shares['correlate']:.2f}, detect with it"
                f" {shares['detect']:.2f} (the detections' part {shares['detect'] - shares['correlate']:.2f}),"
                f" detect once more {shares['again']:.2f}\nslowest detections: {ours['slowest']}"
            )
        print(
            f"median: parse only {statistics.median(limits):.0f} MB/s, ingest {statistics.median(speeds):.0f} MB/s,"
            f" ratio {statistics.median(ratios):.2f} (target >= 0.25 and >= 150 MB/s)"
        )


if __name__ == "__main__":
    main()
