"""Ingests many damaged logs among healthy ones: `python -m tests.faults.ingested FOLDER FIRST STOP STEP`."""

import json
import sys
from pathlib import Path

from benchmarks.resident import peak_resident
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.verify import verify
from tests.faults.campaign import damaged
from tests.logs import make_log, rows

_NEIGHBOURS = 10
_NEIGHBOUR_EVENTS = """
    SELECT parse_path(path)[-1], event.* EXCLUDE (event_key, source_file_id)
    FROM event JOIN source_file USING (source_file_id) WHERE parse_path(path)[-1] LIKE '%good.evtx' ORDER BY ALL
"""


def write_neighbours(folder: Path) -> None:
    folder.mkdir()
    for number in range(_NEIGHBOURS):
        # Their names put them before, between and after the damaged ones.
        (folder / f"{number * 1000:06}good.evtx").write_bytes(make_log(40, f"GOOD{number}.example.test"))


def main() -> None:
    """Prints what the case then holds, as one JSON object."""
    folder, (first, stop, step) = Path(sys.argv[1]), map(int, sys.argv[2:])
    write_neighbours(folder / "logs")
    for place, number in enumerate(range(first, stop, step)):
        (folder / "logs" / f"{place * 29:06}-{number}.evtx").write_bytes(damaged(number))
    write_neighbours(folder / "neighbours")
    summary = ingest([folder / "logs"], folder / "case.duckdb")
    ingest([folder / "neighbours"], folder / "clean.duckdb")
    wanted = rows(folder / "clean.duckdb", _NEIGHBOUR_EVENTS)
    said = {
        "read_files": summary.read_files,
        "skipped": len(summary.skipped) + len(summary.copies),
        "neighbour_events": len(wanted),
        "are_neighbours_unharmed": rows(folder / "case.duckdb", _NEIGHBOUR_EVENTS) == wanted,
        "differences": [str(difference) for difference in verify(folder / "case.duckdb").differences],
        "resident": peak_resident() // 2**20,
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
