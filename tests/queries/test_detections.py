"""Every detection finds what its tests/detections/<id>.toml says, in synthetic events and in real logs."""

import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from evtxhunt.correlate import build_tables
from evtxhunt.detect import find_query, run_detection
from evtxhunt.model import Finding
from evtxhunt.pipeline.query import QuerySet, uses_tables
from evtxhunt.query_file import used_by
from tests.queries.conftest import RealCase, SyntheticCase
from tests.queries.synthetic import expand_events

REPOSITORY = Path(__file__).parent.parent.parent
EXPECTATIONS = REPOSITORY / "tests" / "detections"
KEYS = {
    "": {"event", "hit", "miss", "real"},
    "hit": {"name", "event", "findings", "evidence", "summary", "user_name", "computer", "level", "details"},
    "miss": {"name", "event"},
    "real": {"file", "records", "findings", "summary", "reason"},
}


def expectations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(EXPECTATIONS.glob("*.toml")):
        yield path.stem, tomllib.loads(path.read_text(encoding="utf-8"))


def parameters(kind: str) -> list[Any]:
    """One parameter an entry; its id is the detection and the entry's name or log."""
    return [
        pytest.param(detection, {**entry, "defaults": content.get("event", {})}, id=f"{detection}-{label(entry)}")
        for detection, content in expectations()
        for entry in content.get(kind, ())
    ]


def label(entry: dict[str, Any]) -> str:
    return entry["name"] if "name" in entry else Path(entry["file"]).stem


def findings_of(connection: duckdb.DuckDBPyConnection, query_set: QuerySet, detection: str) -> tuple[Finding, ...]:
    run = run_detection(connection, find_query(query_set.queries, detection), None)
    assert run.error is None, run.error
    assert run.findings is not None
    return run.findings


def correlated(connection: duckdb.DuckDBPyConnection, query_set: QuerySet, detection: str) -> duckdb.DuckDBPyConnection:
    """The connection, with the correlated tables that the detection reads."""
    sql = find_query(query_set.queries, detection).sql
    if uses_tables(sql, query_set):
        tables = [query for query in used_by(sql, query_set.queries) if query.kind == "table"]
        build_tables(connection, tables, query_set.of_kind("detection"), "")
    return connection


def test_each_detection_has_its_expectations_and_each_expectation_its_detection(query_set: QuerySet) -> None:
    assert [name for name, _ in expectations()] == [query.id for query in query_set.of_kind("detection")]


@pytest.mark.parametrize(("detection", "content"), [pytest.param(*item, id=item[0]) for item in expectations()])
def test_expectations_have_a_hit_and_a_near_miss_and_known_keys(detection: str, content: dict[str, Any]) -> None:
    assert content.get("hit"), f"{detection}.toml has no [[hit]]"
    assert content.get("miss"), f"{detection}.toml has no [[miss]]"
    assert set(content) <= KEYS[""]
    for kind in ("hit", "miss", "real"):
        for entry in content.get(kind, ()):
            assert set(entry) <= KEYS[kind], entry


@pytest.mark.parametrize(("detection", "hit"), parameters("hit"))
def test_synthetic_events_are_found(
    detection: str, hit: dict[str, Any], query_set: QuerySet, synthetic_case: SyntheticCase
) -> None:
    events = list(expand_events(hit["defaults"], hit["event"]))
    found = findings_of(correlated(synthetic_case(events), query_set, detection), query_set, detection)
    # Unless the entry says otherwise, there is one finding and it cites every event.
    assert [list(finding.evidence) for finding in found] == hit.get("evidence", [list(range(1, len(events) + 1))])
    if "summary" in hit:
        assert [finding.summary for finding in found] == hit["summary"]
    if "user_name" in hit:
        assert [finding.user_name for finding in found] == hit["user_name"]
    if "level" in hit:
        assert [finding.level for finding in found] == hit["level"]
    for name, value in hit.get("details", {}).items():
        assert found[0].details[name] == value
    computer = hit.get("computer", events[0]["computer"])
    assert all(finding.host == finding.computer == computer for finding in found)


@pytest.mark.parametrize(("detection", "miss"), parameters("miss"))
def test_near_misses_are_not_found(
    detection: str, miss: dict[str, Any], query_set: QuerySet, synthetic_case: SyntheticCase
) -> None:
    connection = synthetic_case(list(expand_events(miss["defaults"], miss["event"])))
    correlated(connection, query_set, detection)
    assert [finding.summary for finding in findings_of(connection, query_set, detection)] == []


@pytest.mark.slow
@pytest.mark.parametrize(("detection", "hit"), parameters("hit"))
def test_record_without_a_value_does_not_silence_a_detection(
    detection: str, hit: dict[str, Any], query_set: QuerySet, synthetic_case: SyntheticCase
) -> None:
    """Who can write one record without a time or a name must not make the whole detection fail by it."""
    events = list(expand_events(hit["defaults"], hit["event"]))
    for column in ("event_time", "computer"):
        connection = synthetic_case(events)
        connection.execute(f"UPDATE event SET {column} = NULL")
        findings_of(correlated(connection, query_set, detection), query_set, detection)
    if uses_tables(find_query(query_set.queries, detection).sql, query_set):
        return  # a field each would take minutes
    for name in sorted({name for event in events for name in event.get("event_data", {})}):
        lacking = [
            {**event, "event_data": {key: value for key, value in event["event_data"].items() if key != name}}
            if "event_data" in event
            else event
            for event in events
        ]
        found = findings_of(synthetic_case(lacking), query_set, detection)
        assert [finding.summary for finding in found if "lack what would tell" in finding.summary] == [], name


@pytest.mark.corpus
@pytest.mark.parametrize(("detection", "real"), parameters("real"))
def test_real_logs_give_what_they_are_known_to_hold(
    detection: str, real: dict[str, Any], query_set: QuerySet, real_case: RealCase
) -> None:
    connection = real_case(
        real["file"], is_correlated=uses_tables(find_query(query_set.queries, detection).sql, query_set)
    )
    found = findings_of(connection, query_set, detection)
    if "summary" in real:
        assert [finding.summary for finding in found] == real["summary"]
    assert len(found) == real.get("findings", 1)
    # `records` are EventRecordIDs, or [first, last] for a run of them.
    wanted = Counter(
        number
        for item in real.get("records", ())
        for number in (range(item[0], item[1] + 1) if isinstance(item, list) else (item,))
    )
    cited = connection.execute(
        "SELECT event_record_id FROM event WHERE list_contains(?::BIGINT[], event_key)",
        [[key for finding in found for key in finding.evidence]],
    ).fetchall()
    assert Counter(int(number) for (number,) in cited) == wanted


@pytest.mark.corpus
def test_the_same_case_gives_the_same_findings_again(query_set: QuerySet, real_case: RealCase) -> None:
    connection = real_case("corpora/attack-samples", is_correlated=True)
    for query in query_set.of_kind("detection"):
        assert findings_of(connection, query_set, query.id) == findings_of(connection, query_set, query.id), query.id
