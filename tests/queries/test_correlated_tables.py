"""Processes, PowerShell sessions, decoded layers, identities, coverage and the story, on events written for them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from evtxhunt.correlate import build_tables
from evtxhunt.detect import find_query, run_query
from evtxhunt.pipeline.query import QuerySet
from tests.queries.conftest import RealCase, SyntheticCase

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def event(provider: str, channel: str, event_id: int, seconds: float, **rest: Any) -> dict[str, Any]:
    return {
        "provider": provider,
        "channel": channel,
        "event_id": event_id,
        "time": NOON + timedelta(seconds=seconds),
        "computer": "SRV01.example.test",
        **rest,
    }


def security(event_id: int, seconds: float, **data: str) -> dict[str, Any]:
    return event("Microsoft-Windows-Security-Auditing", "Security", event_id, seconds, event_data=data)


def started(seconds: float, number: int, image: str, parent: int, parent_image: str = "") -> dict[str, Any]:
    return security(
        4688,
        seconds,
        NewProcessId=hex(number),
        NewProcessName=image,
        ProcessId=hex(parent),
        ParentProcessName=parent_image,
        SubjectUserName="bob",
        SubjectLogonId="0x1234",
    )


def ended(seconds: float, number: int) -> dict[str, Any]:
    return security(4689, seconds, ProcessId=hex(number))


def sysmon(event_id: int, seconds: float, **data: str | int) -> dict[str, Any]:
    return event("Microsoft-Windows-Sysmon", "Microsoft-Windows-Sysmon/Operational", event_id, seconds, event_data=data)


def script(seconds: float, number: int, text: str, block: str = "b1") -> dict[str, Any]:
    return event(
        "Microsoft-Windows-PowerShell",
        "Microsoft-Windows-PowerShell/Operational",
        4104,
        seconds,
        process_id=number,
        event_data={"ScriptBlockText": text, "ScriptBlockId": block, "MessageNumber": 1, "MessageTotal": 1},
    )


def engine(event_id: int, seconds: float, host_id: str, application: str) -> dict[str, Any]:
    block = (
        f"\tNewEngineState=Available\r\n\tHostName=ConsoleHost\r\n\tHostId={host_id}\r\n"
        f"\tHostApplication={application}\r\n\tEngineVersion=5.1\r\n\tRunspaceId={host_id[:-1]}f"
    )
    return event("PowerShell", "Windows PowerShell", event_id, seconds, data_list=["Available", "None", block])


@pytest.fixture
def load(synthetic_case: SyntheticCase, query_set: QuerySet) -> Any:
    def make(*events: dict[str, Any]) -> duckdb.DuckDBPyConnection:
        connection = synthetic_case(events)
        build_tables(connection, query_set.of_kind("table"), query_set.of_kind("detection"), "")
        return connection

    return make


def test_a_process_id_that_is_used_again_is_another_parent(load: Any) -> None:
    connection = load(
        started(0, 100, r"C:\a.exe", 4),
        ended(10, 100),
        started(20, 100, r"C:\b.exe", 4),
        started(30, 200, r"C:\child.exe", 100),
        started(40, 300, r"C:\grandchild.exe", 200),
    )
    assert connection.execute(
        "SELECT program, parent_key, parent_program, ancestors, parent_rule FROM process ORDER BY process_key"
    ).fetchall() == [
        ("a.exe", None, None, [], None),
        ("b.exe", None, None, [], None),
        ("child.exe", 3, "b.exe", [3], "process id"),
        ("grandchild.exe", 4, "child.exe", [3, 4], "process id"),
    ]


@pytest.mark.parametrize(
    ("between", "why"),
    [
        ([ended(5, 100)], "the process had ended"),
        ([security(4608, 5)], "the computer was restarted"),
        ([started(5, 100, r"C:\other.exe", 4)], "the record names another program"),
    ],
)
def test_what_can_be_no_parent_is_none(load: Any, between: list[dict[str, Any]], why: str) -> None:
    connection = load(started(0, 100, r"C:\a.exe", 4), *between, started(30, 200, r"C:\child.exe", 100, r"C:\a.exe"))
    assert connection.execute("SELECT parent_key, ancestors FROM process WHERE process_id = 200").fetchall() == [
        (None, [])
    ], why


def test_both_sources_of_a_start_are_one_process_with_its_end(load: Any) -> None:
    connection = load(
        started(0, 100, r"C:\a.exe", 4),
        sysmon(1, 0.2, Image=r"C:\a.exe", ProcessId=100, ProcessGuid="{00000000-0000-0000-0000-0000000000a1}"),
        sysmon(
            1,
            5,
            Image=r"C:\b.exe",
            ProcessId=200,
            ProcessGuid="{00000000-0000-0000-0000-0000000000b1}",
            ParentProcessGuid="{00000000-0000-0000-0000-0000000000A1}",
        ),
        ended(9, 100),
        sysmon(5, 9.1, ProcessId=100, Image=r"C:\a.exe"),
    )
    assert connection.execute(
        "SELECT sources, event_keys, parent_key, parent_rule FROM process ORDER BY process_key"
    ).fetchall() == [(["4688", "Sysmon"], [1, 2, 4, 5], None, None), (["Sysmon"], [3], 1, "process guid")]


def test_a_chain_without_end_stops_and_keeps_every_process(load: Any) -> None:
    chain = [started(n, 1000 + n, r"C:\x.exe", 999 + n) for n in range(200)]
    # Two that claim each other as parent.
    loop = [
        sysmon(1, 300, Image=r"C:\l.exe", ProcessId=7, ProcessGuid="{a-1}", ParentProcessGuid="{a-2}"),
        sysmon(1, 300, Image=r"C:\m.exe", ProcessId=8, ProcessGuid="{a-2}", ParentProcessGuid="{a-1}"),
    ]
    connection = load(*chain, *loop)
    assert connection.execute("SELECT count(*), max(len(ancestors)) FROM process").fetchone() == (202, 64)


def test_a_powershell_session_finds_its_process_and_its_scripts(load: Any) -> None:
    one, other = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
    start = started(0, 100, r"C:\ps.exe", 4)
    start["event_data"]["CommandLine"] = "powershell -File a.ps1"
    connection = load(
        start,
        engine(400, 1, one, "powershell -File a.ps1"),
        script(2, 100, "Get-Date"),
        engine(403, 9, one, "powershell -File a.ps1"),
        engine(400, 20, other, "powershell"),
        script(900, 555, "Get-Host", "b2"),
    )
    assert connection.execute(
        "SELECT host_id, process_id, process_rule, script_blocks, epoch(end_time - start_time) FROM powershell_session"
    ).fetchall() == [
        (one, 100, "command line", 1, 8.0),
        (other, None, None, 0, None),
        (None, 555, "script block", 1, None),
    ]


def test_hidden_layers_are_stored_with_their_record(load: Any) -> None:
    connection = load(script(0, 1, "Get-Date"), script(1, 1, "&('I'+'EX') $x", "b2"))
    assert connection.execute("SELECT * FROM decoded_text").fetchall() == [(2, 1, 1, "joined strings", "&('IEX') $x")]


def test_a_renamed_computer_and_a_name_that_two_claim_are_told(load: Any) -> None:
    old, new = security(4608, 0), security(4608, 60)
    old["computer"], new["computer"] = "WIN-1234", "SRV01.example.test"
    twin = security(4608, 90)
    twin["computer"] = "SRV01.other.test"
    connection = load(old, new, twin)
    assert connection.execute(
        "SELECT computer, value, is_conflicting FROM host_identity WHERE kind = 'name'"
    ).fetchall() == [
        ("srv01.example.test", "srv01", True),
        ("srv01.other.test", "srv01", True),
        ("win-1234", "win-1234", False),
    ]
    assert ("win-1234", "srv01.example.test") in connection.execute(
        "SELECT computer, value FROM host_identity WHERE kind = 'other name'"
    ).fetchall()


def test_a_detection_says_what_it_could_have_seen(load: Any) -> None:
    connection = load(started(0, 100, r"C:\a.exe", 4))
    assert connection.execute(
        "SELECT is_possible, events, present FROM detection_coverage WHERE detection_id = 'credential_dump_command'"
    ).fetchall() == [(True, 1, "Security 4688")]
    ((possible, missing),) = connection.execute(
        "SELECT is_possible, missing FROM detection_coverage WHERE detection_id = 'lsass_memory_access'"
    ).fetchall()
    assert not possible
    assert missing == "Microsoft-Windows-Sysmon/Operational 10 (nothing of this log is in the case)"


def story(connection: duckdb.DuckDBPyConnection, query_set: QuerySet, **values: object) -> list[tuple[str, str]]:
    with run_query(connection, find_query(query_set.queries, "timeline"), values, None) as rows:
        places = [rows.columns.index(name) for name in ("text", "records")]
        return [(str(row[places[0]]), str(row[places[1]])) for row in rows]


def test_the_story_cites_each_record_once(load: Any, query_set: QuerySet) -> None:
    connection = load(
        started(0, 100, r"C:\a.exe", 4),
        sysmon(1, 0.2, Image=r"C:\a.exe", ProcessId=100, User=r"EXAMPLE\bob"),
        script(5, 100, "&('I'+'EX') $x"),
    )
    assert story(connection, query_set) == [
        (r"EXAMPLE\bob started C:\a.exe (process 100)", "Security 4688 #1, Sysmon 1 #2"),
        ("Somebody ran &('I'+'EX') $x [decoded, joined strings: &('IEX') $x]", "PowerShell 4104 #3"),
    ]
    assert len(story(connection, query_set, from_time=datetime(2026, 5, 1, 12, 0, 1))) == 1
    assert story(connection, query_set, host="elsewhere") == []


@pytest.mark.corpus
def test_the_story_of_the_real_domain_controller(real_case: RealCase, query_set: QuerySet) -> None:
    connection = real_case("corpora/attack-samples", is_correlated=True)
    (session_id,) = connection.execute(
        "SELECT session_id FROM remoting_session"
        " WHERE target_computer LIKE 'dc1.%' AND kind = 'winrs' AND child_processes > 0"
    ).fetchone() or (0,)
    lines = [text for text, _ in story(connection, query_set, session_id=session_id)]
    assert lines[0].startswith(r"winrs session 1 of insecurebank\Administrator from an unknown source on dc1")
    # The grandchild too: winrshost.exe > cmd.exe > ipconfig.
    assert lines[1:] == [
        r"insecurebank\Administrator started C:\Windows\system32\cmd.exe /C ipconfig (process 3136 of winrshost.exe)",
        r"insecurebank\Administrator started ipconfig (process 1744 of cmd.exe)",
    ]


@pytest.mark.corpus
def test_real_obfuscation_is_decoded(real_case: RealCase) -> None:
    connection = real_case("corpora/deepblue", is_correlated=True)
    found = connection.execute(
        "SELECT DISTINCT method FROM decoded_text WHERE text ILIKE '%New-Object Net.WebClient%' ORDER BY method"
    ).fetchall()
    assert found == [("joined strings",), ("numbers",), ("reversed",)]


def logged_on(seconds: float, **data: str) -> dict[str, Any]:
    logon = {"TargetUserName": "bob", "TargetDomainName": "CORP", "LogonType": "3", "TargetLogonId": "0x777"}
    return security(4624, seconds, **{**logon, **data})


def gave_credentials(seconds: float, **data: str) -> dict[str, Any]:
    given = {
        "SubjectUserName": "alice",
        "SubjectLogonId": "0x111",
        "TargetUserName": "BOB",
        "TargetServerName": "srv01",
    }
    return {**security(4648, seconds, **{**given, **data}), "computer": "WS01.example.test"}


TICKET = "{00000000-0000-0000-0000-00000000abcd}"


@pytest.mark.parametrize(
    ("given", "logon", "rule"),
    [
        ([gave_credentials(0)], logged_on(60), "server, user and time"),
        ([gave_credentials(0)], logged_on(61), None),
        ([gave_credentials(0, TargetUserName="eve")], logged_on(1), None),
        ([gave_credentials(0, TargetServerName="SRV02")], logged_on(1), None),
        # Another server's name, as with an alias: the ticket is the same.
        (
            [gave_credentials(0, TargetServerName="alias", TargetLogonGuid=TICKET)],
            logged_on(200, LogonGuid=TICKET),
            "logon guid",
        ),
        # The right name and time, but another ticket.
        ([gave_credentials(0, TargetLogonGuid=TICKET)], logged_on(1, LogonGuid=TICKET.replace("a", "b")), None),
    ],
)
def test_a_logon_names_where_its_credentials_were_given(
    given: list[dict[str, Any]], logon: dict[str, Any], rule: str | None, load: Any
) -> None:
    connection = load(*given, logon)
    expected = ("ws01.example.test", "alice", 0x111, 1, rule) if rule else (None, None, None, None, None)
    assert connection.execute(
        "SELECT credential_computer, credential_user_name, credential_logon_id, credential_key, credential_rule"
        " FROM logon_session"
    ).fetchall() == [expected]


def test_of_several_credentials_the_nearest_is_a_logons(load: Any) -> None:
    connection = load(gave_credentials(0), gave_credentials(20, SubjectUserName="carol"), logged_on(21))
    assert connection.execute("SELECT credential_user_name FROM logon_session").fetchall() == [("carol",)]
