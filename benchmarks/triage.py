"""Triage of many hosts against an ingest of the same logs as one plain folder, in one run.

python -m benchmarks.triage [--hosts N] [--size MB] [--jobs N]

Reading and merging is what is held against the ingest; detection and a report for each host come on top.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.resident import peak_resident
from evtxhunt.pipeline.fleet import Fleet, Limits, Progress
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.query import load_query_set
from evtxhunt.pipeline.shelf import find_collections
from evtxhunt.pipeline.triage import prepare_folder, triage
from samples.bulk import write_weeks


class Silent:
    """A FleetProgress that says nothing."""

    def show(self, collections: Sequence[Progress], step: str) -> None:
        """Nothing."""


def plain(folder: Path, output: Path, _jobs: int) -> None:
    """One ingest of the whole folder."""
    output.mkdir()
    ingest([folder], output / "case.duckdb", is_host_from_folders=False)


def read(folder: Path, output: Path, jobs: int) -> None:
    """The part of a triage that makes the same case."""
    prepare_folder(output)
    Fleet(output, Limits(jobs), Silent()).read(find_collections([folder], output))


def whole(folder: Path, output: Path, jobs: int) -> None:
    """All of a triage."""
    triage([folder], output, load_query_set(), Limits(jobs), Silent())


JOBS = {"plain": plain, "read": read, "whole": whole}


def in_own_process(job: str, folder: Path, output: Path, jobs: int) -> dict[str, float]:
    """Seconds, and bytes that the largest process held."""
    command = [sys.executable, "-m", "benchmarks.triage", "--job", job, "--folder", str(folder)]
    command += ["--output", str(output), "--jobs", str(jobs)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def main() -> None:
    """Prints what each took and the ratio."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hosts", type=int, default=200)
    options.add_argument("--size", type=int, default=512, help="MB of logs, at least a week of each host")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options.add_argument("--job", choices=sorted(JOBS), help=argparse.SUPPRESS)
    options.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.job:
        started = time.perf_counter()
        JOBS[given.job](given.folder, given.output, given.jobs)
        seconds = time.perf_counter() - started
        resident = max(peak_resident(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
        print(json.dumps({"seconds": seconds, "resident": resident}))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = write_weeks(folder / "shelf", given.hosts, size=given.size * 10**6).size
        hosts = len(list((folder / "shelf").iterdir()))
        print(f"{size / 1e6:,.0f} MB of logs of {hosts} hosts, {given.jobs} jobs on {os.cpu_count()} cores")
        took = {job: in_own_process(job, folder / "shelf", folder / job, given.jobs) for job in JOBS}
        for job, result in took.items():
            print(
                f"{job}: {result['seconds']:.1f} s, {size / 1e6 / result['seconds']:.0f} MB/s,"
                f" {hosts * 60 / result['seconds']:.0f} hosts/min, largest process {result['resident'] / 1e6:,.0f} MB"
            )
        ratio = took["plain"]["seconds"] / took["read"]["seconds"]
        print(f"triage reads at {ratio:.2f} of the speed of the plain ingest (target >= 0.70)")


if __name__ == "__main__":
    main()
