"""What a case of evidence in containers must have in common with one of plain folders."""

from pathlib import Path
from typing import Any

from evtxhunt.pipeline.ingest import ingest
from tests.conftest import REPOSITORY
from tests.logs import rows

DEMO = REPOSITORY / "samples" / "demo"
# Of source_file all but where the file lies.
_TABLES = (
    "SELECT * EXCLUDE (path, container) FROM source_file ORDER BY source_file_id",
    "FROM event ORDER BY event_key",
    "FROM event_copy ORDER BY ALL",
    "FROM event_conflict ORDER BY ALL",
    "FROM parse_failure ORDER BY ALL",
    "FROM recovered_record ORDER BY ALL",
    "FROM chunk_account ORDER BY ALL",
)


def demo_logs() -> dict[str, bytes]:
    """The demo's logs by path below its folder, in the order of an ingest."""
    return {str(path.relative_to(DEMO)): path.read_bytes() for path in sorted(DEMO.rglob("*.evtx"))}


def write_demo(folder: Path) -> Path:
    """The demo's logs below `folder`, which is returned."""
    for name, data in demo_logs().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def content(case: Path) -> list[list[tuple[Any, ...]]]:
    """All that a case has, row for row, keys included, without paths."""
    return [rows(case, sql) for sql in _TABLES]


def plain_content(tmp_path: Path, *, host: str | None = None) -> list[list[tuple[Any, ...]]]:
    """That of the demo's logs in plain folders."""
    case = tmp_path / "plain.duckdb"
    ingest([write_demo(tmp_path / "plain")], case, host=host)
    return content(case)


def skipped(case: Path) -> dict[str, str]:
    """Path -> reason of what was not ingested."""
    return dict(rows(case, "SELECT path, reason FROM skipped_file ORDER BY path"))  # type: ignore[arg-type]
