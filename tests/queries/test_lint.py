"""Shipped queries are clean; a broken file is told by file and line, and every detection is well documented."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from evtxhunt.detect import run_detection
from evtxhunt.pipeline.lint import lint
from evtxhunt.pipeline.query import QuerySet
from evtxhunt.query_file import read_query
from tests.queries.conftest import SyntheticCase

QUERIES = Path(__file__).parent.parent.parent / "queries"
HEADER = """\
-- ---
-- id = "broken"
-- title = "Broken"
-- level = "low"
-- attack = ["T1070.001"]
-- description = "For a test."
-- requires = [{channel = "Security", event_id = [1102]}]
-- ---
"""
SELECT = "SELECT event_time, host, computer, user_name, 'x' AS summary, [event_key] AS evidence FROM log_cleared\n"


def test_shipped_queries_are_clean() -> None:
    count, problems = lint(QUERIES)
    assert [problem.text for problem in problems] == []
    assert count == len(list(QUERIES.glob("*/*.sql")))


def test_a_good_file_is_clean(tmp_path: Path) -> None:
    assert lint(write(tmp_path, HEADER + SELECT).parent.parent) == (1, [])


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        pytest.param(SELECT, 1, "must begin with a line `-- ---`", id="no fence"),
        pytest.param(HEADER.removesuffix("-- ---\n") + SELECT, 1, "no closing line", id="open header"),
        pytest.param(
            HEADER.replace('-- level = "low"', '-- levle = "low"') + SELECT, 4, 'unknown key "levle"', id="unknown key"
        ),
        pytest.param(
            HEADER.replace('"broken"', '"other"') + SELECT,
            2,
            'id "other" is not the file name "broken"',
            id="id mismatch",
        ),
        pytest.param(
            HEADER.replace('"low"', '"hgh"') + SELECT,
            4,
            'level "hgh" is not one of informational, low, medium, high, critical',
            id="bad level",
        ),
        pytest.param(HEADER.replace("T1070.001", "TA0005") + SELECT, 5, "no technique id", id="bad technique"),
        pytest.param(
            HEADER.replace("T1070.001", "T1021.066") + SELECT,
            5,
            "is no technique of MITRE ATT&CK 18.1; did you mean T1021.006 (Remote Services: Windows Remote Management)",
            id="unknown technique",
        ),
        pytest.param(
            HEADER.replace("T1070.001", "T1086") + SELECT,
            5,
            "is revoked in MITRE ATT&CK 18.1; use T1059.001 (Command and Scripting Interpreter: PowerShell)",
            id="revoked technique",
        ),
        pytest.param(
            HEADER.replace("[1102]", "[]") + SELECT, 7, "requires must be a list like", id="requires no events"
        ),
        pytest.param(
            HEADER + SELECT + ";" + SELECT, 9, "exactly one SELECT, it holds 2 statements", id="two statements"
        ),
        pytest.param(HEADER + "DROP TABLE event\n", 9, "must hold a SELECT", id="no select"),
        pytest.param(
            HEADER + SELECT.replace("log_cleared", "log_cleared WHERE event_id = $number"),
            9,
            "$number is used but not declared under [params.number]",
            id="undeclared parameter",
        ),
        pytest.param(
            HEADER.removesuffix("-- ---\n")
            + '-- [params.number]\n-- type = "integer"\n-- default = 1\n-- ---\n'
            + SELECT,
            12,
            "parameter number is declared but not used",
            id="unused parameter",
        ),
    ],
)
def test_a_broken_file_is_told_by_file_and_line(text: str, line: int, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    count, problems = lint(tmp_path)
    assert (count, len(problems)) == (1, 1)
    assert problems[0].path == path
    assert problems[0].text.startswith(f"{path}:{line}: ")
    assert message in problems[0].text


@pytest.mark.parametrize(
    ("select", "message"),
    [
        (
            "SELECT 1 AS event_time\n",
            "a detection's first columns are event_time, host, computer, user_name, summary, evidence",
        ),
        ("SELECT nothing FROM log_cleared\n", '"nothing" not found'),
        ("SELECT * FROM no_such_view\n", "no_such_view does not exist"),
    ],
)
def test_a_query_that_does_not_fit_the_case_is_told(select: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + select)
    _, problems = lint(tmp_path)
    assert [problem.path for problem in problems] == [path]
    assert problems[0].text.startswith(f"{path}: ")
    assert message in problems[0].text


LEVELS = HEADER.replace('"low"', '"low"\n-- other_levels = ["high"]')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HEADER.replace('"low"', '"low"\n-- other_levels = ["low"]') + SELECT,
            ":5: other_levels must be a list of levels besides",
        ),
        (LEVELS + SELECT, ": a detection with other_levels has a column level that says which"),
        (
            HEADER + SELECT.replace("AS evidence", "AS evidence, 'high' AS level"),
            ": a detection with other_levels has a column level that says which",
        ),
    ],
)
def test_levels_of_findings_are_declared(text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    _, problems = lint(tmp_path)
    assert [f"{path}{message}" in problem.text for problem in problems] == [True]


@pytest.mark.parametrize(
    ("level", "wanted"), [("'high'", "high"), ("NULL", "low"), ("'critical'", None), ("'hgh'", None)]
)
def test_a_finding_may_have_a_level_of_its_own(
    level: str, wanted: str | None, tmp_path: Path, synthetic_case: SyntheticCase
) -> None:
    text = LEVELS + SELECT.replace("AS evidence", f"AS evidence, {level} AS level")
    assert lint(write(tmp_path, text).parent.parent) == (1, [])
    cleared = {
        "time": datetime(2026, 5, 1, tzinfo=UTC),
        "channel": "Security",
        "provider": "Microsoft-Windows-Eventlog",
        "event_id": 1102,
        "computer": "WS01",
    }
    run = run_detection(
        synthetic_case([cleared]), read_query(tmp_path / "detections" / "broken.sql", "detection"), None
    )
    if wanted is None:
        assert run.findings is None
        assert "level must be the header's level or one of its other_levels" in (run.error or "")
    else:
        assert run.findings is not None
        assert [(finding.level, finding.details) for finding in run.findings] == [(wanted, {})]


def test_detections_are_short_and_say_what_they_need(query_set: QuerySet) -> None:
    for query in query_set.of_kind("detection"):
        assert len(query.sql.splitlines()) <= 80, query.id
        assert query.description and query.false_positives and query.references and query.requires, query.id
        assert "ORDER BY" in query.sql.splitlines()[-1], query.id
        assert all(parameter.description for parameter in query.parameters), query.id


def write(folder: Path, text: str) -> Path:
    path = folder / "detections" / "broken.sql"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return path
