"""Correlation rules on a case: groups, aliases, generate, chains of them, and their findings."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from evtxhunt.model import Finding
from tests.sigma.rules import SECURITY, START, SYSMON, event, make_case, rule, run

FAILED = rule("selection: {EventID: 4625}", "service: security", "Failed logon", "name: failed_logon\n")
LOGON = rule("selection: {EventID: 4624}", "service: security", "Logon", "name: logon\n")


def logon(event_id: int, second: int, user: str | None, address: str = "10.0.0.1", **others: Any) -> dict[str, Any]:
    data = {"TargetUserName": user, "TargetDomainName": "CORP", "IpAddress": address, **others}
    return event(
        SECURITY,
        event_id,
        {name: value for name, value in data.items() if value is not None},
        time=START + timedelta(seconds=second),
    )


def correlation(body: str, title: str = "Burst", further: str = "") -> str:
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    return f"title: {title}\nlevel: high\n{further}correlation:\n{lines}\n"


BURST = """type: event_count
rules: [failed_logon]
group-by: [TargetUserName]
timespan: 1m
condition: {gte: 3}"""


def find(tmp_path: Path, events: list[dict[str, Any]], *texts: str, slice_events: int = 250_000) -> list[Finding]:
    case = tmp_path / "case.duckdb"
    if not case.exists():
        make_case(case, events)
    (tmp_path / "rules.yml").write_text("---\n".join(texts))
    findings, runs = run(case, tmp_path / "rules.yml", slice_events)
    assert [item.reason for item in runs.values() if item.state != "ran"] == []
    return findings


def test_a_burst_is_one_finding_that_cites_its_events_and_its_group(tmp_path: Path) -> None:
    events = [logon(4625, second, user) for second in (0, 20, 40) for user in ("eve", "bob")][:-1]
    [finding] = find(tmp_path, events, FAILED, correlation(BURST))
    assert (finding.title, finding.level, finding.evidence) == ("Burst", "high", (1, 3, 5))
    assert finding.event_time == START.replace(tzinfo=None)
    assert finding.details["matched"] == {"TargetUserName": "eve", "event_count": "3"}
    assert finding.summary == (
        "Burst: 3 hits from 2026-05-01 12:00:00Z to 2026-05-01 12:00:40Z, event_count 3 within 60 s;"
        " TargetUserName: eve"
    )
    assert (finding.user_name, finding.computer) == ("CORP\\eve", "WS01.example.test")


def test_groups_ignore_case_and_events_without_the_field_take_no_part(tmp_path: Path) -> None:
    events = [logon(4625, n, user) for n, user in enumerate(["Eve", "eve", "EVE", None, None, None])]
    [finding] = find(tmp_path, events, FAILED, correlation(BURST))
    assert finding.evidence == (1, 2, 3)


def test_slices_do_not_cut_windows(tmp_path: Path) -> None:
    events = [logon(4625, n, "eve") for n in range(5)]
    [finding] = find(tmp_path, events, FAILED, correlation(BURST), slice_events=2)
    assert finding.evidence == (1, 2, 3, 4, 5)


def test_rules_below_a_correlation_are_shown_only_with_generate(tmp_path: Path) -> None:
    events = [logon(4625, n, "eve") for n in range(3)]
    assert [item.title for item in find(tmp_path, events, FAILED, correlation(BURST))] == ["Burst"]
    shown = find(tmp_path, events, FAILED, correlation(BURST + "\ngenerate: true"))
    assert [item.title for item in shown] == ["Failed logon"] * 3 + ["Burst"]


def test_hits_below_a_correlation_that_is_not_asked_for_are_shown(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case.duckdb", [logon(4625, n, "eve") for n in range(3)])
    (tmp_path / "rules.yml").write_text(f"{FAILED}---\n{correlation(BURST)}")
    for left_out, expected in (("rules.yml#2", ["Failed logon"] * 3), ("rules.yml", ["Burst"])):
        findings, runs = run(case, tmp_path / "rules.yml", left_out=frozenset({left_out}))
        assert [item.title for item in findings] == expected
        assert [item.state for item in runs.values()].count("left out") == 1


def test_without_group_by_all_hits_are_one_group(tmp_path: Path) -> None:
    body = BURST.replace("group-by: [TargetUserName]\n", "")
    [finding] = find(tmp_path, [logon(4625, n, f"user{n}") for n in range(3)], FAILED, correlation(body))
    assert finding.evidence == (1, 2, 3)


def test_value_count_counts_accounts_of_an_address(tmp_path: Path) -> None:
    body = """type: value_count
rules: [failed_logon]
group-by: [IpAddress]
timespan: 10m
condition: {gte: 3, field: TargetUserName}"""
    events = [logon(4625, n, user, address) for n, (user, address) in enumerate(
        [("a", "10.0.0.1"), ("A", "10.0.0.1"), ("b", "10.0.0.1"), ("c", "10.0.0.2"), ("c", "10.0.0.1")]
    )]  # fmt: skip
    [finding] = find(tmp_path, events, FAILED, correlation(body))
    assert finding.evidence == (1, 2, 3, 5)
    assert finding.details["matched"] == {"IpAddress": "10.0.0.1", "value_count": "3"}


def test_temporal_joins_rules_of_two_log_sources_by_aliases(tmp_path: Path) -> None:
    started = rule("selection: {Image|endswith: evil.exe}", title="Started", further="name: started\n")
    body = """type: temporal_ordered
rules: [logon, started]
timespan: 5m
group-by: [account]
aliases:
    account:
        logon: TargetUserName
        started: User"""
    events = [
        logon(4624, 0, "eve"),
        event(SYSMON, 1, {"Image": "C:\\evil.exe", "User": "EVE"}, time=START + timedelta(seconds=300)),
        event(SYSMON, 1, {"Image": "C:\\evil.exe", "User": "bob"}, time=START + timedelta(seconds=301)),
    ]
    [finding] = find(tmp_path, events, LOGON, started, correlation(body))
    assert finding.evidence == (1, 2)
    swapped = body.replace("rules: [logon, started]", "rules: [started, logon]")
    assert find(tmp_path, events, LOGON, started, correlation(swapped)) == []


def test_a_condition_in_words(tmp_path: Path) -> None:
    body = """type: temporal
rules: [failed_logon, logon]
timespan: 1m
group-by: [TargetUserName]
condition: failed_logon and not logon"""
    events = [logon(4625, 0, "eve"), logon(4624, 5, "eve"), logon(4625, 6, "bob")]
    [finding] = find(tmp_path, events, FAILED, LOGON, correlation(body))
    assert finding.evidence == (3,)


def test_sum_of_a_field_reads_hexadecimal_numbers_and_leaves_words_out(tmp_path: Path) -> None:
    body = """type: value_sum
rules: [logon]
timespan: 1m
group-by: [TargetUserName]
condition: {gte: 300, field: Bytes}"""
    events = [logon(4624, n, "eve", Bytes=size) for n, size in enumerate([100, "0x64", "many", "100.5"])]
    [finding] = find(tmp_path, events, LOGON, correlation(body))
    assert finding.evidence == (1, 2, 4)
    assert finding.details["matched"] == {"TargetUserName": "eve", "value_sum": "300.5"}


def test_a_correlation_of_correlations(tmp_path: Path) -> None:
    body = """type: temporal_ordered
rules: [burst, logon]
timespan: 5m
group-by: [TargetUserName]"""
    events = [*(logon(4625, n, "eve") for n in range(3)), logon(4624, 60, "EVE"), logon(4624, 60, "bob")]
    texts = (correlation(body, "Guessed"), correlation(BURST, further="name: burst\n"), FAILED, LOGON)
    [finding] = find(tmp_path, events, *texts)
    assert (finding.title, finding.evidence) == ("Guessed", (1, 2, 3, 4))


def test_a_correlation_whose_rules_have_no_events_here_is_not_applicable(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case.duckdb", [event(SYSMON, 1, {"Image": "a"})])
    (tmp_path / "rules.yml").write_text(f"{FAILED}---\n{correlation(BURST)}")
    _, runs = run(case, tmp_path / "rules.yml")
    assert (runs["Burst"].state, runs["Burst"].reason) == ("not applicable", "none of its rules is applicable here")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (BURST.replace("[failed_logon]", "[nosuch]"), "a rule that it names is not here"),
        (BURST.replace("timespan: 1m", "timespan: 1x"), "Timespan '1x' is invalid"),
        (BURST.replace("event_count", "near"), "'near' is no valid Sigma correlation type"),
        (BURST.replace("event_count", "value_count"), "Value count correlation rule without field reference"),
        (
            "type: temporal_ordered\nrules: [failed_logon, burst]\ntimespan: 1m\ncondition: failed_logon or burst",
            "temporal_ordered can only join rules by `and`",
        ),
        ("type: temporal\nrules: [burst]\ntimespan: 1m", "names this one in turn"),
    ],
)
def test_a_correlation_that_cannot_run_is_named(body: str, said: str, tmp_path: Path) -> None:
    case = make_case(tmp_path / "case.duckdb", [logon(4625, 0, "eve")])
    (tmp_path / "rules.yml").write_text(f"{FAILED}---\n{correlation(body, further='name: burst' + chr(10))}")
    findings, runs = run(case, tmp_path / "rules.yml")
    assert [item.title for item in findings] == ["Failed logon"]
    failed = [item for item in runs.values() if item.state == "failed"]
    assert len(failed) == 1
    assert said in str(failed[0].reason)
