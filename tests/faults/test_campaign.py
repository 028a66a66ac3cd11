"""Logs damaged in tens of thousands of ways: the reader ends, says what it could not read, and leaves the rest alone.

`python -m tests.faults.campaign NUMBER` reads one of them again.
"""

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="measures memory with getrusage")]

LOGS = 20_000
WORKERS = 2
SECONDS_A_LOG = 20
MOST_RESIDENT = 600  # MiB
INGESTS, LOGS_AN_INGEST = 4, 300


def read_damaged_logs(first: int) -> tuple[int, list[str], int]:
    """Every `WORKERS`th log from `first` on in a process of its own: logs read, problems, MiB resident at most.

    A process that dies or hangs is a problem of the log that it read; another goes on behind it.
    """
    problems: list[str] = []
    count, number, resident = 0, first - WORKERS, 0
    while number + WORKERS < LOGS:
        command = [sys.executable, "-m", "tests.faults.campaign", f"{number + WORKERS}:{LOGS}:{WORKERS}"]
        # What the parser's own panics write to stderr is no news: each is a failed record.
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            is_alive = threading.Event()
            watch = threading.Thread(target=_kill_when_silent, args=(process, is_alive))
            watch.start()
            assert process.stdout is not None
            for line in process.stdout:
                is_alive.set()
                said = json.loads(line)
                count += "number" in said
                number = said.get("number", number)
                resident = max(resident, said.get("resident", 0))
                problems += [said["problem"]] if "problem" in said else []
        watch.join()
        if process.returncode != 0:
            problems.append(f"{number}: the process ended with {process.returncode}")
            if number < first:  # it did not come as far as the first
                break
    return count, problems, resident


def _kill_when_silent(process: "subprocess.Popen[bytes]", is_alive: threading.Event) -> None:
    heard = time.monotonic()
    while process.poll() is None:
        if is_alive.wait(0.2):
            is_alive.clear()
            heard = time.monotonic()
        if time.monotonic() - heard > SECONDS_A_LOG:
            process.kill()


def test_damaged_logs_are_read_to_their_end_with_accounts_that_add_up() -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(read_damaged_logs, range(WORKERS)))
    assert [problem for _, problems, _ in results for problem in problems] == []
    assert sum(count for count, _, _ in results) == LOGS
    assert 0 < max(resident for _, _, resident in results) < MOST_RESIDENT


@pytest.mark.parametrize("first", range(INGESTS))
def test_damaged_logs_are_ingested_and_their_neighbours_unharmed(first: int, tmp_path: Path) -> None:
    step = LOGS // LOGS_AN_INGEST
    command = [sys.executable, "-m", "tests.faults.ingested", str(tmp_path), str(first), str(LOGS), str(step)]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    assert said["differences"] == []
    assert (said["are_neighbours_unharmed"], said["neighbour_events"]) == (True, 400)
    assert said["read_files"] + said["skipped"] == 10 + len(range(first, LOGS, step))
    assert said["resident"] < MOST_RESIDENT
