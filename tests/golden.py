"""The golden table: what all detections find in all real logs, one line a finding. `python -m tests.golden` renews it.

A line that comes or goes is looked at in the events behind it before the table is renewed. Lines that begin with #
explain the line below them; they stay when the table is renewed, as long as their finding is there.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import duckdb

from evtxhunt.detect import run_detection
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.query import QuerySet, correlate, load_query_set, open_case
from tests.conftest import REPOSITORY, corpora_root

GOLDEN = REPOSITORY / "tests" / "detections" / "golden.tsv"
HEADER = "detection\tlevel\tlog\tEventRecordIDs"


def golden_lines(connection: duckdb.DuckDBPyConnection, query_set: QuerySet, corpora: Path) -> list[str]:
    """detection, level, logs below corpora/ and their EventRecordIDs, as TSV sorted by these."""
    places = {
        key: (Path(path).relative_to(corpora.absolute()).as_posix(), int(number or 0))
        for key, path, number in connection.execute(
            "SELECT event_key, path, event_record_id FROM event JOIN source_file USING (source_file_id)"
        ).fetchall()
    }
    lines = []
    for query in query_set.of_kind("detection"):
        run = run_detection(connection, query, None)
        assert run.findings is not None, run.error
        for finding in run.findings:
            cited = sorted(places[key] for key in finding.evidence)
            by_log = [(log, [number for _, number in items]) for log, items in groupby(cited, lambda item: item[0])]
            logs = "; ".join(log for log, _ in by_log)
            lines.append((query.id, finding.level, logs, "; ".join(spans(numbers) for _, numbers in by_log)))
    return ["\t".join(line) for line in sorted(lines)]


def spans(numbers: Sequence[int]) -> str:
    """1, 2, 3, 7 -> 1-3 7. A number that two records of a log have stands there twice."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return " ".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


def read_golden() -> tuple[list[str], dict[str, str]]:
    """The table's lines, and the explanation above each that has one."""
    lines: list[str] = []
    reasons: dict[str, str] = {}
    reason = ""
    for line in GOLDEN.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            reason = line.removeprefix("#").strip()
        elif line and line != HEADER:
            lines.append(line)
            if reason:
                reasons[line] = reason
            reason = ""
    return lines, reasons


def with_reasons(lines: Iterable[str], reasons: dict[str, str]) -> Iterator[str]:
    for line in lines:
        if line in reasons:
            yield f"# {reasons[line]}"
        yield line


def main() -> None:
    """Writes the table from the real logs."""
    corpora = corpora_root() / "corpora"
    query_set = load_query_set(REPOSITORY / "queries")
    with tempfile.TemporaryDirectory() as folder:
        case = Path(folder) / "case.duckdb"
        ingest([corpora], case)
        correlate(case, query_set)
        with open_case(case, query_set) as connection:
            lines = golden_lines(connection, query_set, corpora)
    reasons = read_golden()[1] if GOLDEN.exists() else {}
    GOLDEN.write_text("\n".join([HEADER, *with_reasons(lines, reasons)]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
