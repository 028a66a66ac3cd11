"""Hunts answer with their defaults and with values given, on real logs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evtxhunt.correlate import build_tables
from evtxhunt.detect import find_query, run_query
from evtxhunt.pipeline.query import QuerySet, uses_tables
from evtxhunt.query_file import used_by
from tests.queries.conftest import RealCase, SyntheticCase

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


# The rows of FireEye's tables that no real log of ours has: events in the shape of PowerShell's and WinRM's manifests.
POWERSHELL = {"channel": "Microsoft-Windows-PowerShell/Operational", "provider": "Microsoft-Windows-PowerShell"}
ANALYTIC = {**POWERSHELL, "channel": "Microsoft-Windows-PowerShell/Analytic"}
WINRM = {"channel": "Microsoft-Windows-WinRM/Operational", "provider": "Microsoft-Windows-WinRM"}


def synthetic_answer(
    synthetic_case: SyntheticCase, query_set: QuerySet, hunt: str, *events: dict[str, Any], **values: object
) -> list[dict[str, Any]]:
    start = datetime(2026, 5, 1, 12, tzinfo=UTC)
    connection = synthetic_case(
        [{"computer": "SRV01", "time": start + timedelta(seconds=n), **event} for n, event in enumerate(events)]
    )
    query = find_query(query_set.queries, hunt)
    tables = [used for used in used_by(query.sql, query_set.queries) if used.kind == "table"]
    build_tables(connection, tables, [], "")
    with run_query(connection, query, values, None) as rows:
        return [dict(zip(rows.columns, row, strict=True)) for row in rows]


def test_local_sessions_have_start_and_stop_and_no_remoting(synthetic_case: SyntheticCase, query_set: QuerySet) -> None:
    def engine(event_id: int, host_name: str, host_id: str) -> dict[str, Any]:
        lines = (
            f"HostName={host_name}",
            f"HostId={host_id}",
            "HostApplication=powershell -File a.ps1",
            "EngineVersion=5.1",
        )
        block = "".join(f"\t{line}\r\n" for line in lines)
        return {
            "channel": "Windows PowerShell",
            "provider": "PowerShell",
            "event_id": event_id,
            "data_list": ["a", "b", block],
        }

    local, remote = "11111111-2222-3333-4444-555555555555", "21111111-2222-3333-4444-555555555555"
    events = [
        engine(400, "ConsoleHost", local),
        engine(400, "ServerRemoteHost", remote),
        engine(403, "ConsoleHost", local),
    ]
    (row,) = synthetic_answer(synthetic_case, query_set, "local_powershell_session", *events)
    assert (row["host_id"], row["host_application"], row["event_keys"]) == (local, "powershell -File a.ps1", [1, 3])
    assert (row["end_time"] - row["start_time"]).total_seconds() == 2
    assert synthetic_answer(synthetic_case, query_set, "local_powershell_session", *events, contains="b.ps1") == []


def test_blocked_scripts_are_named(synthetic_case: SyntheticCase, query_set: QuerySet) -> None:
    payload = (
        "Error Message = File C:\\t\\a.ps1 cannot be loaded because running scripts is disabled on this system."
        "\r\nFully Qualified Error ID = UnauthorizedAccess"
    )
    found = synthetic_answer(
        synthetic_case,
        query_set,
        "blocked_script",
        {**POWERSHELL, "event_id": 40961},
        {**POWERSHELL, "event_id": 4100, "event_data": {"Payload": payload}},
        {**POWERSHELL, "event_id": 4100, "event_data": {"Payload": "Error Message = something else"}},
    )
    assert [(row["kind"], row["script"]) for row in found] == [
        ("console started", None),
        ("script blocked", "C:\\t\\a.ps1"),
    ]


def test_the_analytic_log_names_commands_and_gives_what_was_sent(
    synthetic_case: SyntheticCase, query_set: QuerySet
) -> None:
    context = "        Command Name = Get-Item\r\n        User = CORP\\svc\r\n        Connected User = CORP\\bob\r\n"
    (row,) = synthetic_answer(
        synthetic_case,
        query_set,
        "analytic_command",
        {
            **ANALYTIC,
            "event_id": 7937,
            "event_data": {"ContextInfo": context, "Payload": "Command Get-Item is Started."},
        },
    )
    assert (row["command_name"], row["user_name"], row["connected_user"]) == ("Get-Item", "CORP\\svc", "CORP\\bob")
    text = '<Obj><S N="Cmd">whoami</S></Obj>'
    found = synthetic_answer(
        synthetic_case,
        query_set,
        "analytic_remoting_payload",
        {**ANALYTIC, "event_id": 32850, "event_data": {"param1": "x", "param2": "CORP\\bob", "param3": "shell"}},
        {
            **ANALYTIC,
            "event_id": 32867,
            "event_data": {
                "ObjectId": "7",
                "FragmentId": "0",
                "FragmentPayload": "0x" + (b"\x02\x00\xf3\x3c\x9d" + text.encode()).hex(),
            },
        },
        {
            **ANALYTIC,
            "event_id": 32868,
            "event_data": {"ObjectId": "8", "FragmentId": "0", "FragmentPayload": "no hex"},
        },
    )
    assert [(row["kind"], row["text"]) for row in found] == [
        ("user", "CORP\\bob"),
        ("received", text),
        ("sent", "no hex"),
    ]


def test_outbound_remoting_tells_what_was_refused(synthetic_case: SyntheticCase, query_set: QuerySet) -> None:
    activity = "{11111111-2222-3333-4444-555555555555}"
    (row,) = synthetic_answer(
        synthetic_case,
        query_set,
        "outbound_remoting",
        {
            **WINRM,
            "event_id": 6,
            "activity_id": activity,
            "event_data": {"connection": "SRV09.corp.example/wsman?PSVersion=5.1"},
        },
        {**WINRM, "event_id": 161, "activity_id": activity, "event_data": {"authFailureMessage": "access denied"}},
        {**WINRM, "event_id": 6, "event_data": {"connection": "localhost:47001/WSMan?MSP=7a83d074"}},
    )
    assert (row["connected_host"], row["refused"]) == ("srv09.corp.example", "authentication failed: access denied")
    assert row["event_keys"] == [1, 2]


def test_a_shell_spans_from_creation_to_deletion(synthetic_case: SyntheticCase, query_set: QuerySet) -> None:
    (row,) = synthetic_answer(
        synthetic_case,
        query_set,
        "winrm_shell_span",
        {
            **WINRM,
            "event_id": 169,
            "user_sid": "S-1-5-20",
            "event_data": {"username": "CORP\\bob", "authenticationMechanism": "NTLM"},
        },
        {**WINRM, "event_id": 81, "user_sid": "S-1-5-21-1", "event_data": {"operationName": "CreateShell"}},
        {**WINRM, "event_id": 81, "user_sid": "S-1-5-21-1", "event_data": {"operationName": "Receive"}},
        {**WINRM, "event_id": 134, "user_sid": "S-1-5-21-1", "event_data": {"operationName": "DeleteShell"}},
    )
    assert (row["user_name"], row["mechanism"], row["event_keys"]) == ("CORP\\bob", "NTLM", [1, 2, 4])
    assert (row["end_time"] - row["start_time"]).total_seconds() == 2


def test_module_log_is_searched_in_parameters_and_output(synthetic_case: SyntheticCase, query_set: QuerySet) -> None:
    event = {**POWERSHELL, "event_id": 4103, "event_data": {"ContextInfo": "", "Payload": "Out-Default: Krbtgt hash"}}
    assert len(synthetic_answer(synthetic_case, query_set, "module_log_search", event, text="krbTGT")) == 1
    assert synthetic_answer(synthetic_case, query_set, "module_log_search", event, text="other") == []


def test_the_process_tree_below_remoting(real_case: RealCase, query_set: QuerySet) -> None:
    log = f"{ATTACKS}/Lateral Movement/LM_winrm_exec_sysmon_1_winrshost.evtx"
    found = answer(real_case, query_set, log, "remoting_process_tree")
    assert [row["tree"] for row in found] == ["winrshost.exe", "    cmd.exe", "        ipconfig.exe"]


def test_time_that_goes_back_is_found_within_a_file(synthetic_case: SyntheticCase, query_set: QuerySet) -> None:
    start = datetime(2026, 5, 1, 12, tzinfo=UTC)
    event = {"channel": "System", "provider": "x", "event_id": 7}
    times = [start, start + timedelta(hours=1), start + timedelta(minutes=10), start + timedelta(minutes=9)]
    found = synthetic_answer(
        synthetic_case, query_set, "time_backwards", *[{**event, "time": moment} for moment in times]
    )
    assert [(row["last_number"], row["next_number"]) for row in found] == [(2, 3)]
