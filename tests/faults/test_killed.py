"""An ingest that is killed at any moment leaves whole files, and the next makes the case an undisturbed one makes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="kills forks")]

KILLS, WORKERS = 200, 2


def test_ingest_killed_at_200_moments_is_completed_row_for_row(tmp_path: Path) -> None:
    processes = []
    for seed in range(WORKERS):
        (tmp_path / str(seed)).mkdir()
        command = [
            sys.executable,
            "-m",
            "tests.faults.killed",
            str(tmp_path / str(seed)),
            str(KILLS // WORKERS),
            str(seed),
        ]
        processes.append(subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    outputs = [process.communicate(timeout=900) for process in processes]
    assert [errors.decode() for _, errors in outputs] == [""] * WORKERS
    results = [json.loads(said) for said, _ in outputs]
    assert [item["wrong"] for item in results] == [[]] * WORKERS
    assert sum(item["killed"] for item in results) == KILLS
    assert [item["events"] for item in results] == [432] * WORKERS
    # Neither all before the first transaction nor all after the last.
    assert KILLS // 5 < sum(item["with_loads"] for item in results) < KILLS
