"""All detections over all real logs give the golden table, and no more than it explains on benign logs."""

from difflib import unified_diff
from pathlib import Path

import pytest

from evtxhunt.detect import run_detection
from evtxhunt.model import LEVELS
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.query import QuerySet, correlate, open_case
from samples.build import build_scenario, write_files
from samples.scenarios import scenarios
from tests.golden import golden_lines, read_golden
from tests.queries.conftest import RealCase

# Logs in which nobody attacks. What is above medium in them is there, and is what the detection says.
BENIGN = "parser-samples/"
ABOVE_MEDIUM = {
    ("security_log_cleared", "parser-samples/system.evtx"),
    ("suspicious_service", "parser-samples/2-vss_7-System.evtx"),
    ("suspicious_service", "parser-samples/system.evtx"),
}


@pytest.mark.corpus
def test_real_logs_give_the_golden_table(query_set: QuerySet, real_case: RealCase, corpora: Path) -> None:
    found = golden_lines(real_case("corpora", is_correlated=True), query_set, corpora)
    difference = "\n".join(unified_diff(read_golden()[0], found, "golden.tsv", "found", lineterm="", n=0))
    assert not difference, f"look at each, then renew the table: python -m tests.golden\n{difference}"


def test_benign_logs_have_little_and_each_medium_is_explained() -> None:
    lines, reasons = read_golden()
    assert lines == sorted(lines)
    above = set()
    for line in lines:
        detection, level, logs, _ = line.split("\t")
        if logs.startswith(BENIGN) and LEVELS.index(level) >= LEVELS.index("medium"):  # type: ignore[arg-type]  # from the table
            assert line in reasons, f"a comment above it must say why this is right:\n{line}"
            if level != "medium":
                above.add((detection, logs))
    assert above == ABOVE_MEDIUM


def test_a_quiet_week_has_nothing_above_informational(query_set: QuerySet, tmp_path: Path) -> None:
    quiet = next(scenario for scenario in scenarios() if scenario.name.startswith("18_"))
    write_files(build_scenario(quiet), tmp_path / "logs")
    case = tmp_path / "case.duckdb"
    ingest([tmp_path / "logs"], case)
    correlate(case, query_set)
    with open_case(case, query_set) as connection:
        runs = [run_detection(connection, query, None) for query in query_set.of_kind("detection")]
    assert [run.error for run in runs if run.error] == []
    assert [
        (finding.detection_id, finding.summary)
        for run in runs
        for finding in run.findings or ()
        if finding.level != "informational"
    ] == []
