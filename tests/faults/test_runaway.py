"""Chunks from which the parser does not come back: `ingest` goes on without them, and says so."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evtxhunt.chunk import CHUNK_SIZE, FILE_HEADER_SIZE
from evtxhunt.pipeline.verify import verify
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
