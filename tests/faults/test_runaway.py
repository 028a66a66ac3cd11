"""Chunks from which the parser does not come back: `ingest` goes on without them, and says so."""

import mmap
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evtxhunt.chunk import CHUNK_SIZE, FILE_HEADER_SIZE
from evtxhunt.pipeline.verify import verify
from evtxhunt.watch import MEMORY_SIZE, ParserWatch, Runaways, parser_work
from tests.faults.hostile import BOMBS
from tests.logs import make_log, rows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are guarded on Linux alone"),
]


def start_ingest(logs: Path, case: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "evtxhunt", "ingest", str(logs), "--case", str(case)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def children(process: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@pytest.mark.parametrize("name", BOMBS)
def test_chunk_that_renders_to_more_than_there_is_memory_costs_itself_alone(name: str, tmp_path: Path) -> None:
    logs, case = tmp_path / "logs", tmp_path / "case.duckdb"
    logs.mkdir()
    (logs / "a.evtx").write_bytes(make_log(40, "A"))
    (logs / "bomb.evtx").write_bytes(BOMBS[name])
    (logs / "z.evtx").write_bytes(make_log(30, "Z"))
    process = start_ingest(logs, case)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 0, said
    assert said.startswith(
        f"{logs / 'bomb.evtx'}: the parser does not come back from chunk 0; going on without this chunk\n"
    ), said
    assert rows(case, "SELECT parse_path(path)[-1], parsed, failed FROM source_file ORDER BY path") == [
        ("a.evtx", 40, 0),
        ("bomb.evtx", 5, 3),
        ("z.evtx", 30, 0),
    ]
    # Its records were given to our own parser, which is bounded, and were forged for it as well.
    assert rows(case, "SELECT split_part(reason, ';', 1) FROM parse_failure ORDER BY header_record_id LIMIT 1") == [
        ("the parser does not come back from this chunk",)
    ]
    assert verify(case).differences == ()


def test_chunk_of_which_the_host_would_be_named_is_passed_over_too(tmp_path: Path) -> None:
    case = tmp_path / "case.duckdb"
    for host in ("DC1", "WS2"):
        (tmp_path / "logs" / host).mkdir(parents=True)
        (tmp_path / "logs" / host / "a.evtx").write_bytes(make_log(3, host))
        (tmp_path / "logs" / host / "b.evtx").write_bytes(make_log(4, host, "!"))
    (tmp_path / "logs" / "DC1" / "c.evtx").write_bytes(BOMBS["1000 cubed"][: FILE_HEADER_SIZE + CHUNK_SIZE])
    process = start_ingest(tmp_path / "logs", case)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 0, said
    assert rows(case, "SELECT host, count(*) FROM event GROUP BY 1 ORDER BY 1") == [("DC1", 7), ("WS2", 7)]


# A command whose arguments are logs as NAME:CHUNKS:DEADLY: it dies of the first chunks of each.
GUARDED = """
import os, signal, sys
from evtxhunt.cli import guard
from evtxhunt.watch import current_watch
guard._MOST_LOGS = 3
def work():
    for name, chunks, deadly in (argument.split(":") for argument in sys.argv[1:]):
        for chunk in range(int(chunks)):
            reason = current_watch().begin(name, chunk)
            if reason is None and chunk < int(deadly):
                os.kill(os.getpid(), signal.SIGSEGV)
            current_watch().end()
            print(name[:1], chunk, reason)
    print("end")
guard.run_guarded(work)
"""


def run_guarded(*logs: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", GUARDED, *logs], capture_output=True, text=True, check=False, timeout=60
    )


def test_log_of_many_runaways_is_read_without_the_parser_after_five() -> None:
    result = run_guarded("a:9:8", "b:2:1")
    assert (result.returncode, result.stderr.splitlines()) == (
        0,
        [f"a: the parser does not come back from chunk {n}; going on without this chunk" for n in range(4)]
        + ["a: the parser does not come back from chunk 4; going on without the fast parser in this log"]
        + ["b: the parser does not come back from chunk 0; going on without this chunk"],
    )
    refused = "the parser does not come back from this chunk"
    not_given = "the parser does not come back from 5 chunks of this log, and was not given the others"
    assert result.stdout.splitlines()[-12:] == [
        *[f"a {n} {refused}" for n in range(5)],
        *[f"a {n} {not_given}" for n in range(5, 9)],
        f"b 0 {refused}",
        "b 1 None",
        "end",
    ]


def test_end_at_too_many_logs_says_why() -> None:
    result = run_guarded("a:9:8", "b:1:1", "c:1:1", "d:1:1", "e:1:1")
    assert result.returncode == 3
    assert result.stderr.splitlines()[-2:] == [
        "d: the parser does not come back from chunk 0; there are 3 such logs already: stopped here",
        "What was read is kept. Take these logs away and run this again to read the rest.",
    ]


def test_log_of_a_path_longer_than_what_is_shared_is_known_again() -> None:
    result = run_guarded("a" * 100_000 + ":2:1")
    assert (result.returncode, len(result.stderr.splitlines())) == (0, 1)
    assert result.stdout.splitlines()[-1] == "end"


def test_logs_of_one_path_are_told_apart_by_their_content() -> None:
    memory, runaways = mmap.mmap(-1, MEMORY_SIZE), Runaways()
    watch = ParserWatch(memory, runaways)
    assert watch.begin("a.zip!x.evtx", 0, "one") is None
    work = parser_work(memory)
    assert work is not None
    assert (work.path, work.chunk, runaways.add(work)) == ("a.zip!x.evtx", 0, False)
    assert watch.begin("a.zip!x.evtx", 0, "one") is not None
    assert watch.begin("a.zip!x.evtx", 0, "two") is None
    assert watch.begin("a.zip!x.evtx", 1, "one") is None


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)])
def test_signal_to_the_guard_ends_the_guarded_process_as_well(
    number: signal.Signals, status: int, tmp_path: Path
) -> None:
    # From this log it would not come back for a while.
    (tmp_path / "bomb.evtx").write_bytes(BOMBS["1000 cubed"])
    process = start_ingest(tmp_path / "bomb.evtx", tmp_path / "case.duckdb")
    deadline = time.monotonic() + 60
    while not (tmp_path / "case.duckdb").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (child,) = children(process.pid)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == status
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
