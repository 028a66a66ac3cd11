"""The story of the demo is in its logs."""

import base64
import tomllib
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from parsers import Values, read_evtx

from samples.build import DEMO_FOLDER

LOGS = sorted(str(path.relative_to(DEMO_FOLDER)) for path in DEMO_FOLDER.glob("*/*.evtx"))
TRUTH: dict[str, Any] = tomllib.loads((DEMO_FOLDER / "truth.toml").read_text())

# The rule set the truth is written for, and the event ids each rests on.
EXPECTED_EVENTS = {
    "security_log_cleared": {"1102"},
    "powershell_encoded_command": {"4688", "1"},
    "logon_failure_burst": {"4625"},
    "password_spray": {"4625"},
    "pass_the_hash_seclogo": {"4624"},
    "suspicious_service": {"7045"},
    "psexec_service": {"7045"},
    "remoting_child_process": {"4688", "1"},
    "privileged_group_member_added": {"4732"},
    "second_hop_explicit_credentials": {"4648"},
    "reconnaissance_burst": {"4688", "1"},
}


@pytest.fixture(scope="module")
def records() -> dict[tuple[str, int], Values]:
    """All records of the demo by file and EventRecordID."""
    return {
        (log, int(str(record.values["EventRecordID"]))): record.values
        for log in LOGS
        for record in read_evtx(DEMO_FOLDER / log)
    }


def cited(entry: dict[str, Any], key: str = "records") -> list[tuple[str, int]]:
    return [(item["file"], item["event_record_id"]) for item in entry.get(key, [])]


def expected(detection: str) -> list[dict[str, Any]]:
    return [entry for entry in TRUTH["expected"] if entry["detection"] == detection]


def event_time(values: Values) -> datetime:
    return datetime.fromisoformat(str(values["TimeCreated@SystemTime"]))


def test_the_demo_is_small_and_has_the_planned_size(records: dict[tuple[str, int], Values]) -> None:
    size = sum(path.stat().st_size for path in DEMO_FOLDER.rglob("*") if path.is_file())
    assert size <= 2_500_000
    assert Counter(log.partition("/")[0] for log, _ in records) == {
        "SRV02": 575,
        "WS07": 187,
        "OLD01": 66,
        "DC01": 44,
        "SRV03": 40,
    }


def test_every_expected_detection_cites_records_that_exist(records: dict[tuple[str, int], Values]) -> None:
    assert {entry["detection"] for entry in TRUTH["expected"]} == set(EXPECTED_EVENTS)
    for entry in TRUTH["expected"]:
        ids = {records[place]["EventID"] for place in cited(entry)}
        assert ids == EXPECTED_EVENTS[entry["detection"]]
        hosts = {records[place]["Computer"] for place in cited(entry)}
        assert hosts == {f"{entry['host']}.corp.example.test"}


def test_near_misses_cite_records_that_no_expectation_cites(records: dict[tuple[str, int], Values]) -> None:
    fired = {place for entry in TRUTH["expected"] for place in cited(entry)}
    for entry in TRUTH["near_miss"]:
        assert entry["detection"] in EXPECTED_EVENTS
        assert all(place in records for place in cited(entry))
        assert fired.isdisjoint(cited(entry))


def test_the_burst_has_ten_failures_of_one_user_within_five_minutes(
    records: dict[tuple[str, int], Values],
) -> None:
    (entry,) = expected("logon_failure_burst")
    failures = [records[place] for place in cited(entry)]
    assert {(values["TargetUserName"], values["IpAddress"]) for values in failures} == {("Administrator", "192.0.2.17")}
    assert len(failures) == 14
    assert event_time(failures[-1]) - event_time(failures[0]) < timedelta(minutes=5)


def test_the_spray_has_eight_users_within_ten_minutes(records: dict[tuple[str, int], Values]) -> None:
    (entry,) = expected("password_spray")
    failures = [records[place] for place in cited(entry)]
    wrong_password = [values for values in failures if values["SubStatus"] == "0xc000006a"]
    assert len({values["TargetUserName"] for values in wrong_password}) == 11
    assert {values["SubStatus"] for values in failures} == {"0xc000006a", "0xc0000064"}
    assert event_time(failures[-1]) - event_time(failures[0]) < timedelta(minutes=10)


def test_only_the_attack_has_failures_above_the_thresholds(records: dict[tuple[str, int], Values]) -> None:
    attack = {
        place
        for name in ("logon_failure_burst", "password_spray")
        for entry in expected(name)
        for place in cited(entry)
    }
    others = [place for place, values in records.items() if values["EventID"] == "4625" and place not in attack]
    assert len(others) == 3


def test_the_encoded_command_is_base64_of_utf_16(records: dict[tuple[str, int], Values]) -> None:
    (entry,) = expected("powershell_encoded_command")
    commands = {str(records[place]["CommandLine"]) for place in cited(entry)}
    (command,) = commands
    text = base64.b64decode(command.rpartition(" ")[2]).decode("utf-16-le")
    assert text.startswith("# synthetic demo, does nothing")
    encoded = {place for place, values in records.items() if " -Enc " in str(values.get("CommandLine"))}
    assert encoded == set(cited(entry))


def test_children_of_wsmprovhost_are_in_the_truth_and_in_one_session(
    records: dict[tuple[str, int], Values],
) -> None:
    children = {
        place
        for place, values in records.items()
        if str(values.get("ParentImage") or values.get("ParentProcessName")).endswith("wsmprovhost.exe")
    }
    assert children == {place for entry in expected("remoting_child_process") for place in cited(entry)}
    children = {(log, number) for log, number in children if log.startswith("SRV02/")}
    logon_ids = {records[place].get("LogonId") or records[place]["SubjectLogonId"] for place in children}
    host = [
        values
        for values in records.values()
        if values["EventID"] == "4688"
        and str(values["NewProcessName"]).endswith("wsmprovhost.exe")
        and values.get("TargetUserName") == "svc-backup"
    ]
    assert logon_ids == {values["TargetLogonId"] for values in host}
    logons = [
        values for values in records.values() if values["EventID"] == "4624" and values["TargetLogonId"] in logon_ids
    ]
    assert [(values["LogonType"], values["IpAddress"]) for values in logons] == [("3", "192.0.2.17")]


def test_the_long_script_is_logged_in_three_parts(records: dict[tuple[str, int], Values]) -> None:
    parts = [values for values in records.values() if values.get("MessageTotal") == "3"]
    assert [values["MessageNumber"] for values in parts] == ["1", "2", "3"]
    assert len({values["ScriptBlockId"] for values in parts}) == 1
    text = "".join(str(values["ScriptBlockText"]) for values in parts)
    assert text.startswith("# Synthetic inventory script")
    assert text.endswith("Select-Object -First 5")


def test_records_lost_between_archive_and_clearing_are_in_no_file(
    records: dict[tuple[str, int], Values],
) -> None:
    (gap,) = [entry for entry in TRUTH["lost_records"] if entry["reason"] == "cleared"]
    security = sorted(number for log, number in records if log.startswith("SRV02/") and "Security" in log)
    missing = sorted(set(range(security[0], security[-1] + 1)) - set(security))
    assert missing == list(range(gap["first"], gap["last"] + 1))
    assert records["SRV02/Security.evtx", gap["last"] + 1]["EventID"] == "1102"
