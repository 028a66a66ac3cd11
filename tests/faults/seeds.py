"""Small logs that are worth damaging: synthetic ones, and real ones cut to a few chunks."""

from pathlib import Path

from evtxhunt.chunk import CHUNK_SIZE, FILE_HEADER_SIZE
from samples.build import build_scenario
from samples.scenarios import scenarios
from tests.conftest import corpora_root
from tests.faults.hostile import HOSTILE
from tests.hostile_events import hostile_log
from tests.logs import make_log

_MOST_CHUNKS = 3
_REAL_LOGS = 60


def synthetic_seeds() -> dict[str, bytes]:
    """By name; some are healthy, some hold BinXML that no Windows wrote."""
    seeds = {
        "five": make_log(5),
        "three chunks": make_log(290),
        "big records": make_log(12, text="x" * 9000),
        "nonsense": _cut(hostile_log()),
        "without checksums": _without_checksums(make_log(40)),
    }
    for path, content in build_scenario(scenarios()[0]).items():
        if str(path).endswith(".evtx"):
            seeds[f"scenario {path}"] = _cut(content)
    return seeds | {f"hostile, {name}": log for name, log in HOSTILE.items()}


def real_seeds() -> dict[str, bytes]:
    """Evenly over the real logs, the damaged ones of parser-samples among them; none where they are absent."""
    root = corpora_root() / "corpora"
    logs = sorted(root.rglob("*.evtx"))
    step = max(1, len(logs) // _REAL_LOGS)
    return {str(log.relative_to(root)): _read(log) for log in logs[::step]}


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(FILE_HEADER_SIZE + _MOST_CHUNKS * CHUNK_SIZE)


def _cut(log: bytes) -> bytes:
    return log[: FILE_HEADER_SIZE + _MOST_CHUNKS * CHUNK_SIZE]


def _without_checksums(log: bytes) -> bytes:
    bare = bytearray(log)
    bare[120:128] = b"\4" + bytes(7)
    bare[FILE_HEADER_SIZE + 52 : FILE_HEADER_SIZE + 56] = bytes(4)
    bare[FILE_HEADER_SIZE + 120 : FILE_HEADER_SIZE + 128] = b"\5" + bytes(7)
    return bytes(bare)
