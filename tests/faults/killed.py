"""Kills an ingest of many logs at random moments and completes it: `python -m tests.faults.killed FOLDER KILLS SEED`.

Every ingest is a fork of this process, which has imported all and started nothing, and dies by a real SIGKILL.
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import duckdb

import evtxhunt.pipeline.ingest
from evtxhunt.pipeline.ingest import ingest
from tests.logs import make_log, rows

_LOGS = 120
_LOGS_A_LOAD = 20
# All of them but the manifest, which holds wall-clock times.
_TABLES = "SELECT table_name FROM duckdb_tables() WHERE database_name = 'other' AND table_name <> 'run' ORDER BY ALL"
_HALF_FILES = """
    SELECT path FROM source_file AS s WHERE copy_of IS NULL AND parsed + rescued <>
        (SELECT count(*) FROM event AS e WHERE e.source_file_id = s.source_file_id)
    UNION ALL SELECT path FROM source_file AS s WHERE failed <>
        (SELECT count(*) FROM parse_failure AS f WHERE f.source_file_id = s.source_file_id AND scope = 'record')
        AND copy_of IS NULL
    UNION ALL SELECT 'no file ' || source_file_id FROM event ANTI JOIN source_file USING (source_file_id)
"""


def write_logs(folder: Path) -> None:
    """Healthy and damaged logs, copies, and files that are no logs: every table has rows."""
    folder.mkdir()
    for number in range(_LOGS):
        log = make_log(4, f"WS{number - number % 50 if number % 10 == 9 else number:03}.example.test")
        (folder / f"{number:03}.evtx").write_bytes(log[:-60_000] if number % 10 == 3 else log)
    (folder / "empty.evtx").touch()
    (folder / "text.evtx").write_text("not a log at all")


def in_child(work: Callable[[], object], seconds: float | None = None) -> tuple[Any, bool]:
    """What `work` returns in a fork of this process; killed after `seconds`: (None, True)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            os.write(writing, json.dumps(work()).encode())
            status = 0
        finally:
            if status != 0:
                traceback.print_exc()
            os._exit(status)
    os.close(writing)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    if os.WIFSIGNALED(status):
        return None, True
    assert status == 0, f"a child ended with {status}"
    return json.loads(said), False


def half_files(case: Path) -> list[tuple[object, ...]]:
    """What is wrong with the case after a kill; it may not exist yet, or have no tables yet."""
    if not case.exists() or not rows(case, "FROM duckdb_tables() SELECT 1"):
        return []
    return rows(case, _HALF_FILES)


def differing_tables(case: Path, other: Path) -> list[str]:
    with duckdb.connect(case, read_only=True) as connection:
        connection.execute(f"ATTACH '{other}' AS other (READ_ONLY)")
        tables = [name for (name,) in connection.execute(_TABLES).fetchall()]
        assert "event" in tables
        return [
            name
            for name in tables
            if connection.execute(
                f"(FROM {name} EXCEPT ALL FROM other.{name}) UNION ALL (FROM other.{name} EXCEPT ALL FROM {name})"
            ).fetchall()
        ]


def main() -> None:
    """Prints kills, how many of them found committed loads, and what was wrong, as one JSON object."""
    folder, kills, random = Path(sys.argv[1]), int(sys.argv[2]), Random(int(sys.argv[3]))
    evtxhunt.pipeline.ingest._LOAD_FILES = _LOGS_A_LOAD
    logs, undisturbed, case = folder / "logs", folder / "undisturbed.duckdb", folder / "case.duckdb"
    write_logs(logs)

    def whole() -> int:
        return ingest([logs], undisturbed).events

    def complete() -> tuple[list[object], int]:
        halves = half_files(case)
        known = len(ingest([logs], case).known)
        return [*halves, *differing_tables(case, undisturbed)], known

    start = time.monotonic()
    events, _ = in_child(whole)
    duration = time.monotonic() - start
    wrong: list[object] = []
    killed = with_loads = 0
    while killed < kills:
        is_killed = in_child(lambda: ingest([logs], case).events, random.uniform(0, duration))[1]
        killed += is_killed
        (found, known), _ = in_child(complete)
        wrong += found
        with_loads += is_killed and known > 0
        for path in folder.glob("case.duckdb*"):
            path.unlink()
    print(json.dumps({"killed": killed, "with_loads": with_loads, "wrong": wrong, "events": events}))


if __name__ == "__main__":
    main()
