"""Hunts answer with their defaults and with values given, on real logs."""

from typing import Any

import pytest

from evtxhunt.detect import find_query, run_query
from evtxhunt.pipeline.query import QuerySet, uses_tables
from tests.queries.conftest import RealCase

pytestmark = pytest.mark.corpus
ATTACKS = "corpora/attack-samples"
PASS_THE_HASH = f"{ATTACKS}/Credential Access/tutto_malseclogon.evtx"


def answer(real_case: RealCase, query_set: QuerySet, log: str, hunt: str, **values: object) -> list[dict[str, Any]]:
    query = find_query(query_set.queries, hunt)
    connection = real_case(log, is_correlated=uses_tables(query.sql, query_set))
    with run_query(connection, query, values, None) as rows:
        return [dict(zip(rows.columns, row, strict=True)) for row in rows]


def test_every_hunt_runs_with_its_defaults(real_case: RealCase, query_set: QuerySet) -> None:
    for hunt in query_set.of_kind("hunt"):
        answer(real_case, query_set, ATTACKS, hunt.id)


@pytest.mark.parametrize("user", ["ieuser", "MSEDGEWIN10\\IEUser"])
def test_user_activity_finds_the_user_with_and_without_domain(
    user: str, real_case: RealCase, query_set: QuerySet
) -> None:
    found = answer(real_case, query_set, PASS_THE_HASH, "user_activity", user=user)
    assert {row["user_name"] for row in found} == {"MSEDGEWIN10\\IEUser"}
    assert {row["kind"] for row in found} >= {"logon", "process"}


def test_host_activity_by_address_and_by_short_name(real_case: RealCase, query_set: QuerySet) -> None:
    log = "corpora/deepblue/smb-password-guessing-security.evtx"
    by_address = answer(real_case, query_set, log, "host_activity", host="::ffff:192.168.198.149")
    assert {row["kind"] for row in by_address} == {"logon failure"}
    assert len(by_address) == 3561
    remoting = f"{ATTACKS}/Lateral Movement/LM_PowershellRemoting_sysmon_1_wsmprovhost.evtx"
    assert [row["text"] for row in answer(real_case, query_set, remoting, "host_activity", host="DC1")] == [
        'started "C:\\Windows\\system32\\HOSTNAME.EXE" from C:\\Windows\\System32\\wsmprovhost.exe'
    ]


def test_logon_id_activity_takes_hex_and_decimal(real_case: RealCase, query_set: QuerySet) -> None:
    keys = [
        [
            row["event_key"]
            for row in answer(
                real_case, query_set, PASS_THE_HASH, "logon_id_activity", computer="msedgewin10", logon_id=logon_id
            )
        ]
        for logon_id in ("0x16e3db3", str(0x16E3DB3))
    ]
    assert keys == [[7, 8, 9, 11], [7, 8, 9, 11]]


def test_around_event_is_bounded_by_time(real_case: RealCase, query_set: QuerySet) -> None:
    found = answer(real_case, query_set, PASS_THE_HASH, "around_event", event_key=7, seconds=1)
    assert 7 in [row["event_key"] for row in found]
    assert max(abs(row["distance"]).total_seconds() for row in found) <= 1


def test_text_search_finds_scripts_and_command_lines(real_case: RealCase, query_set: QuerySet) -> None:
    found = answer(real_case, query_set, "corpora/deepblue", "text_search", text="invoke-mimikatz")
    assert {row["source"] for row in found} == {"4104", "4688"}
    assert all("invoke-mimikatz" in row["text"].lower() for row in found)


def test_the_security_page_is_answered_statement_by_statement(real_case: RealCase, query_set: QuerySet) -> None:
    found = answer(real_case, query_set, ATTACKS, "winrm_security_review")
    assert [row["number"] for row in found] == list(range(1, 20))
    by_number = {row["number"]: row for row in found}
    # RogueWinRM.exe listens on 5985 in place of the service.
    assert by_number[7]["verdict"] == "violated"
    assert "RogueWinRM.exe listens on 5985" in by_number[7]["because"]
    assert by_number[2]["verdict"] == "witnessed"
    assert by_number[18]["verdict"] == "not observable"
    assert all(bool(row["event_keys"]) is (row["verdict"] != "not observable") for row in found)


def test_a_tree_shows_what_led_to_a_process_and_what_it_started(real_case: RealCase, query_set: QuerySet) -> None:
    log = f"{ATTACKS}/Lateral Movement/LM_winrm_exec_sysmon_1_winrshost.evtx"
    (cmd,) = [
        key
        for key, image in real_case(log, is_correlated=True)
        .execute("SELECT event_key, image FROM event WHERE event_id = 1")
        .fetchall()
        if image.endswith("cmd.exe")
    ]
    found = answer(real_case, query_set, log, "process_tree", event_key=cmd)
    assert [row["command"].strip().split(" ")[0] for row in found] == [
        r"C:\Windows\system32\WinrsHost.exe",
        r"C:\Windows\system32\cmd.exe",
        "ipconfig",
    ]


def test_services_tasks_and_run_keys(real_case: RealCase, query_set: QuerySet) -> None:
    found = answer(real_case, query_set, ATTACKS, "services_and_tasks")
    assert {row["kind"] for row in found} >= {"service", "task created", "run key"}
    rare = answer(real_case, query_set, ATTACKS, "rare_parent_child", most_starts=1)
    assert ("winrshost.exe", "cmd.exe") in {(row["parent_program"], row["program"]) for row in rare}
    assert all(row["starts"] == 1 for row in rare)
