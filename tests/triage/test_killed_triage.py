"""A triage killed at any moment ends, run again, with the bytes of an undisturbed one; and watching."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.triage.shelves import command, contents, hosts, triage, write_demo, write_log

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="triage forks")]

KILLS = 10


def write_shelf(shelf: Path) -> None:
    write_demo(shelf)
    for number in range(12):
        write_log(shelf, f"more{number:02}/s.evtx", f"M{number % 9:02}", 200, str(number))
    write_log(shelf, "copy/s.evtx", "M00", 200, "0")
    write_log(shelf, "cut/s.evtx", "CUT", 100)
    log = shelf / "cut" / "s.evtx"
    log.write_bytes(log.read_bytes()[: 4096 + 5000])


def test_killed_ten_times_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    shelf, whole, output = tmp_path / "shelf", tmp_path / "whole", tmp_path / "out"
    write_shelf(shelf)
    started = time.monotonic()
    assert triage(shelf, whole).returncode == 4  # one is damaged
    seconds = time.monotonic() - started
    chance, killed = random.Random(7), 0
    while killed < KILLS:
        process = subprocess.Popen(command(shelf, output), cwd=REPOSITORY, stderr=subprocess.PIPE)
        try:
            # A run that was killed leaves less for the next one, so that moments of the whole are to be met.
            process.communicate(timeout=chance.uniform(0.3, seconds))
            for path in sorted(output.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            continue
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += 1
    result = triage(shelf, output)
    assert result.returncode == 4, result.stderr
    ours, theirs = contents(output), contents(whole)
    assert ours.keys() == theirs.keys()
    assert [name for name in theirs if ours[name] != theirs[name]] == []
    assert not (output / "parts").exists()


def test_interrupted_it_leaves_a_folder_that_goes_on(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    write_shelf(shelf)
    process = subprocess.Popen(command(shelf, output), cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
    while not (output / "case.duckdb").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.startswith("interrupted; ")
    assert triage(shelf, output).returncode == 4


def test_watch_takes_what_comes_and_ends_with_a_valid_folder(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    write_log(shelf, "a/s.evtx", "A")
    arguments = [sys.executable, "-m", "evtxhunt", "triage", "--watch", str(shelf), "-o", str(output)]
    process = subprocess.Popen(arguments, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
    try:
        _wait_for_hosts(output, {"A"})
        write_log(shelf, "b/s.evtx", "B")
        write_log(shelf, "b/t.evtx", "C")
        _wait_for_hosts(output, {"A", "B", "C"})
        write_log(shelf, "a/late.evtx", "D")  # into one that was read already
        _wait_for_hosts(output, {"A", "B", "C", "D"})
    finally:
        process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert hosts(output) == {"A": ["a"], "B": ["b"], "C": ["b"], "D": ["a"]}


def _wait_for_hosts(output: Path, wanted: set[str]) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if (output / "index.html").exists() and set(hosts(output)) == wanted:
            return
        time.sleep(0.2)
    pytest.fail(f"{wanted} did not come")
