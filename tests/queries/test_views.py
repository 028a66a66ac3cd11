"""Views give the values that real records hold, and read the shapes of which no real record is at hand."""

from typing import Any

import duckdb
import pytest

from tests.queries.conftest import RealCase, SyntheticCase
from tests.queries.synthetic import expand_events

LATERAL = "corpora/attack-samples/Lateral Movement"
CREDENTIAL = "corpora/attack-samples/Credential Access"


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    result = connection.execute(sql)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@pytest.mark.corpus
def test_winrm_91_without_event_data_is_decoded(real_case: RealCase) -> None:
    connection = real_case(f"{LATERAL}/LM_winrm_target_wrmlogs_91_wsmanShellStarted_poorLog.evtx")
    assert rows(connection, "SELECT kind, resource_uri, shell_kind, user_name, client_ip, user_sid FROM winrm") == [
        {
            "kind": "shell created",
            "resource_uri": "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd",
            "shell_kind": "winrs",
            "user_name": None,
            "client_ip": None,
            "user_sid": "S-1-5-21-738609754-2819869699-4189121830-500",
        }
    ]


@pytest.mark.corpus
def test_winrm_169_and_193_of_windows_7(real_case: RealCase) -> None:
    connection = real_case(f"{LATERAL}/RemotePowerShell_MS_Windows-Remote_Management_EventID_169.evtx")
    found = connection.execute(
        "SELECT event_id, kind, user_name, authentication_mechanism, right(activity_id, 17) FROM winrm"
        " ORDER BY event_key"
    ).fetchall()
    authenticated = (169, "user authenticated", "iewin7\\ieuser", "NTLM")
    authorized = (193, "user authorized", None, None)
    # The second and third authentication share one activity id.
    assert found == [
        (*authenticated, "bf4d-a5f46c0fd501"),
        (*authorized, "bf4d-a5f46c0fd501"),
        (*authenticated, "c84d-a5f46c0fd501"),
        (*authorized, "c84d-a5f46c0fd501"),
        (*authenticated, "c84d-a5f46c0fd501"),
        (*authorized, "c84d-a5f46c0fd501"),
    ]


@pytest.mark.corpus
def test_1102_has_its_values_one_level_deeper(real_case: RealCase) -> None:
    connection = real_case("corpora/attack-samples/Defense Evasion/DE_1102_security_log_cleared.evtx")
    columns = "cleared_channel, user_name, user_domain, subject_user_sid, subject_logon_id, backup_path"
    assert connection.execute(f"SELECT {columns} FROM log_cleared").fetchall() == [
        ("Security", "user01", "EXAMPLE", "S-1-5-21-1587066498-1489273250-1035260531-1106", 0x17DAD, None)
    ]


@pytest.mark.corpus
def test_sysmon_and_security_process_starts_have_one_shape(real_case: RealCase) -> None:
    columns = (
        "source, program, command_line, user_domain, user_name, logon_id, process_id, parent_process_id,"
        " parent_program, integrity_level"
    )
    sysmon = real_case(f"{LATERAL}/LM_PowershellRemoting_sysmon_1_wsmprovhost.evtx")
    assert sysmon.execute(f"SELECT {columns}, process_guid FROM process_start").fetchall() == [
        (
            "Sysmon",
            "hostname.exe",
            '"C:\\Windows\\system32\\HOSTNAME.EXE"',
            "insecurebank",
            "Administrator",
            0x15DAAF,
            2936,
            3332,
            "wsmprovhost.exe",
            "High",
            "dfae8213-bf0b-5cdc-0000-00105a951600",
        )
    ]
    # Version 1 of 4688: no parent, no label, no target account; the command line was not switched on.
    version_1 = real_case(f"{LATERAL}/LM_WMI_4624_4688_TargetHost.evtx")
    assert version_1.execute(f"SELECT {columns} FROM process_start WHERE program = 'calc.exe'").fetchall() == [
        ("4688", "calc.exe", None, "EXAMPLE", "WIN-77LTAPHIQ1R$", 0x3E4, 1060, 2792, None, None)
    ]
    # Version 2: the process runs with another logon than its creator's.
    version_2 = real_case("corpora/attack-samples/Privilege Escalation/NTLM2SelfRelay-med0x2e-security_4624_4688.evtx")
    assert version_2.execute(
        f"SELECT {columns}, creator_logon_id FROM process_start WHERE program = 'notepad.exe'"
    ).fetchall() == [
        (
            "4688",
            "notepad.exe",
            None,
            "WINLAB.LOCAL",
            "Administrator",
            0x82215A,
            0x1DC,
            0xE8C,
            "wmiprvse.exe",
            "High",
            0x3E4,
        )
    ]


@pytest.mark.corpus
def test_parts_of_a_script_are_joined_in_order(real_case: RealCase) -> None:
    connection = real_case("corpora/deepblue/Powershell-Invoke-Obfuscation-many.evtx")
    assert connection.execute(
        "SELECT count(*), sum(parts_found), sum(len(event_keys)) FROM script_block"
    ).fetchone() == (
        257,
        302,
        302,
    )
    [block] = rows(
        connection,
        "SELECT parts_found, parts_total, is_flagged_by_windows, process_id, path, len(text) AS length, text,"
        " event_keys FROM script_block WHERE script_block_id = 'c4c51741-5c5a-4df0-acc0-d639a3f79256'",
    )
    parts = connection.execute(
        "SELECT event_data->>'ScriptBlockText' FROM event WHERE list_contains(?::BIGINT[], event_key)"
        " ORDER BY (event_data->>'MessageNumber')::INTEGER",
        [block["event_keys"]],
    ).fetchall()
    assert block.pop("text") == "".join(text for (text,) in parts)
    assert block == {
        "parts_found": 2,
        "parts_total": 2,
        "is_flagged_by_windows": True,
        "process_id": 4196,
        "path": "C:\\Users\\student\\Desktop\\DeepBlueCLI-master\\DeepBlue-0.2.ps1",
        "length": 20816,
        "event_keys": [25, 26],
    }


@pytest.mark.corpus
def test_module_log_of_the_classic_channel(real_case: RealCase) -> None:
    connection = real_case("corpora/attack-samples/Other/emotet/exec_emotet_ps_800_get-item.evtx")
    [found] = rows(
        connection,
        "SELECT * REPLACE (left(command_line, 8) AS command_line, left(payload, 27) AS payload) FROM module_log",
    )
    assert {
        name: found[name] for name in ("user_name", "host_name", "host_id", "host_application", "engine_version")
    } == {
        "user_name": "DESKTOP-RIPCLIP\\Clippy",
        "host_name": "ConsoleHost",
        "host_id": "7d5cb8a8-0a62-4f52-ba67-09f94d24e1b7",
        "host_application": "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
        "engine_version": "5.1.19041.1",
    }
    assert (found["runspace_id"], found["pipeline_id"]) == ("b385ee3b-6b79-46f4-a038-8be3065370c3", "6")
    assert (found["command_line"], found["payload"]) == ("$Va5w3n8", "CommandInvocation(Get-Item)")


@pytest.mark.corpus
def test_logon_of_version_2_and_what_version_0_does_not_log(real_case: RealCase) -> None:
    columns = (
        "version, logon_type_name, logon_process, logon_id, logon_guid, ip, workstation, is_elevated,"
        " is_virtual_account, impersonation_level, outbound_user_domain, outbound_user_name"
    )
    new = real_case(f"{CREDENTIAL}/tutto_malseclogon.evtx")
    assert new.execute(f"SELECT {columns} FROM logon").fetchall() == [
        (
            2,
            "new credentials",
            "seclogo",
            0x16E3DB3,
            None,
            "::1",
            None,
            True,
            False,
            "impersonation",
            "MalseclogonDomain",
            "MalseclogonUser",
        )
    ]
    old = real_case(f"{LATERAL}/LM_4624_mimikatz_sekurlsa_pth_source_machine.evtx")
    assert old.execute(f"SELECT {columns} FROM logon WHERE logon_type = 9").fetchall() == [
        (0, "new credentials", "seclogo", 0x4530F0F, None, "::1", None, None, None, None, None, None)
    ]


@pytest.mark.corpus
def test_failures_have_one_shape_and_a_reason(real_case: RealCase) -> None:
    columns = "event_id, user_name, status, sub_status, reason, logon_type, ip, workstation, authentication_package"
    guessing = real_case("corpora/deepblue/smb-password-guessing-security.evtx")
    assert guessing.execute(f"SELECT {columns} FROM logon_failure ORDER BY event_key LIMIT 1").fetchall() == [
        (
            4625,
            "JcDfcZTc",
            "0xc000006d",
            "0xc0000064",
            "no such user",
            3,
            "192.168.198.149",
            "6hgtmVlrrFuWtO65",
            "NTLM",
        )
    ]
    # SubStatus 0x0: the cause is in Status.
    expired = real_case("corpora/parser-samples/Security_with_size_t.evtx")
    assert expired.execute(
        "SELECT DISTINCT status, sub_status, reason FROM logon_failure WHERE sub_status = '0x0' ORDER BY 1"
    ).fetchall() == [
        ("0xc000006d", "0x0", "wrong user name or password"),
        ("0xc0000224", "0x0", "password must change"),
    ]
    kerberos = real_case(f"{CREDENTIAL}/kerberos_pwd_spray_4771.evtx")
    assert kerberos.execute(f"SELECT {columns} FROM logon_failure ORDER BY event_key").fetchall() == [
        (4771, "Administrator", "0x18", None, "wrong password", None, "172.16.66.1", None, "Kerberos"),
        (4771, "backdoor", "0x18", None, "wrong password", None, "172.16.66.1", None, "Kerberos"),
    ]
    # A 4776 beside its 4625 is one attempt; the 4625 stays.
    both = real_case("corpora/parser-samples/Security_short_selected.evtx")
    assert both.execute("SELECT event_id FROM logon_failure ORDER BY event_key").fetchall() == [(4776,), (4625,)]
    assert both.execute("SELECT event_id, source FROM failed_attempt").fetchall() == [(4625, "23.94.153.202")]


@pytest.mark.corpus
def test_events_of_other_providers_with_the_same_id_stay_out(real_case: RealCase) -> None:
    connection = real_case("corpora/deepblue/many-events-application.evtx")
    assert connection.execute(
        "SELECT event_id, count(*) FROM event WHERE event_id IN (4104, 4625) GROUP BY 1 ORDER BY 1"
    ).fetchall() == [
        (4104, 11),
        (4625, 38),
    ]
    for view in ("logon_failure", "script_block"):
        assert connection.execute(f"SELECT count(*) FROM {view}").fetchone() == (0,)


@pytest.mark.corpus
def test_explicit_credential_names_server_and_spn(real_case: RealCase) -> None:
    connection = real_case(f"{LATERAL}/LM_WMIC_4648_rpcss.evtx")
    columns = (
        "subject_user_name, user_domain, user_name, target_server, target_info, is_local, process_id, target_logon_guid"
    )
    assert connection.execute(f"SELECT {columns} FROM explicit_credential WHERE event_key = 3").fetchall() == [
        (
            "user01",
            "EXAMPLE.CORP",
            "administrator",
            "WIN-77LTAPHIQ1R.example.corp",
            "RPCSS/WIN-77LTAPHIQ1R.example.corp",
            False,
            0x304,
            "50419e1a-1c62-023a-239e-78c43a7792ab",
        )
    ]


@pytest.mark.corpus
def test_task_content_is_read_from_its_xml(real_case: RealCase) -> None:
    connection = real_case("corpora/attack-samples/Execution/temp_scheduled_task_4698_4699.evtx")
    columns = "kind, task_name, user_name, command, arguments, run_as, is_hidden"
    assert connection.execute(f"SELECT {columns} FROM scheduled_task ORDER BY event_key LIMIT 1").fetchall() == [
        (
            "created",
            "\\CYAlyNSS",
            "EXAMPLE\\Administrator",
            "cmd.exe",
            "/C tasklist > %windir%\\Temp\\CYAlyNSS.tmp 2>&1",
            "S-1-5-18",
            True,
        )
    ]


@pytest.mark.corpus
def test_every_view_reads_all_real_logs(real_case: RealCase, query_set: Any) -> None:
    connection = real_case("corpora/attack-samples")
    empty = {
        view.id
        for view in query_set.of_kind("view")
        if connection.execute(f"SELECT count(COLUMNS(*)) FROM {view.id}").fetchone()[0] == 0
    }
    # No real 400, 403 or 600, no slack and no setting of remoting is at hand; holes in filtered exports mean nothing.
    assert empty == {"powershell_engine", "record_hole", "recovered_number", "remoting_setting"}


POWERSHELL = {
    "channel": "Windows PowerShell",
    "provider": "PowerShell",
    "computer": "WS01",
    "time": "2026-05-01T12:00:00Z",
}
ENGINE_COLUMNS = (
    "kind, new_state, previous_state, sequence_number, host_name, host_version, host_id, host_application,"
    " engine_version, runspace_id, pipeline_id"
)


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_engine_block_is_split_into_columns(line_end: str, synthetic_case: SyntheticCase) -> None:
    lines = [
        "\tNewEngineState=Available",
        "\tPreviousEngineState=None",
        "",
        "\tSequenceNumber=13",
        "",
        "\tHostName=ServerRemoteHost",
        "\tHostVersion=1.0.0.0",
        "\tHostId=4558F5C4-efc0-57b1-bfbe-ea3a6a347552",
        "\tHostApplication=powershell -Command a",
        "b = c",
        "\tEngineVersion=5.1.20348.1",
        "\tRunspaceId=e99aeeb7-787b-513a-abb2-3708f01fd384",
        "\tPipelineId=",
        "\tCommandName=",
    ]
    event = {**POWERSHELL, "event_id": 400, "data_list": ["Available", "None", line_end.join(lines)]}
    connection = synthetic_case(list(expand_events({}, [event])))
    assert connection.execute(f"SELECT {ENGINE_COLUMNS} FROM powershell_engine").fetchall() == [
        (
            "engine started",
            "Available",
            "None",
            13,
            "ServerRemoteHost",
            "1.0.0.0",
            "4558f5c4-efc0-57b1-bfbe-ea3a6a347552",
            f"powershell -Command a{line_end}b = c",
            "5.1.20348.1",
            "e99aeeb7-787b-513a-abb2-3708f01fd384",
            None,
        )
    ]


def test_engine_block_of_powershell_2_lacks_the_host_application(synthetic_case: SyntheticCase) -> None:
    block = (
        "\tNewEngineState=Stopped\n\tPreviousEngineState=Available\n\n"
        "\tSequenceNumber=9\n\n\tHostName=ConsoleHost\n\tEngineVersion=2.0"
    )
    events = [
        {**POWERSHELL, "event_id": 403, "data_list": ["Stopped", "Available", block]},
        {
            **POWERSHELL,
            "event_id": 600,
            "data_list": ["WSMan", "Started", "\tProviderName=WSMan\n\tNewProviderState=Started\n"],
        },
    ]
    connection = synthetic_case(list(expand_events({}, events)))
    assert connection.execute(
        f"SELECT {ENGINE_COLUMNS}, provider_name FROM powershell_engine ORDER BY event_key"
    ).fetchall() == [
        ("engine stopped", "Stopped", "Available", 9, "ConsoleHost", None, None, None, "2.0", None, None, None),
        ("provider started", None, None, None, None, None, None, None, None, None, None, "WSMan"),
    ]


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (
            "http://schemas.microsoft.com/powershell/Microsoft.PowerShell (EXAMPLE\\bob clientIP: ::ffff:192.0.2.5)",
            ("http://schemas.microsoft.com/powershell/Microsoft.PowerShell", "powershell", "EXAMPLE\\bob", "192.0.2.5"),
        ),
        (
            "http://schemas.microsoft.com/powershell/JEA.Helpdesk",
            ("http://schemas.microsoft.com/powershell/JEA.Helpdesk", "custom endpoint", None, None),
        ),
    ],
)
def test_winrm_91_of_newer_builds(resource: str, expected: tuple[object, ...], synthetic_case: SyntheticCase) -> None:
    event = {
        "channel": "Microsoft-Windows-WinRM/Operational",
        "provider": "Microsoft-Windows-WinRM",
        "event_id": 91,
        "computer": "SRV01",
        "time": "2026-05-01T12:00:00Z",
        "event_data": {"resourceUri": resource, "shellId": "1"},
    }
    connection = synthetic_case(list(expand_events({}, [event])))
    assert connection.execute("SELECT resource_uri, shell_kind, user_name, client_ip FROM winrm").fetchall() == [
        expected
    ]


@pytest.mark.parametrize(
    ("connection_text", "host"),
    [
        ("SRV02.example.test/wsman?PSVersion=5.1.19041.1", "srv02.example.test"),
        ("localhost:47001/WSMan?MSP=7a83d074", "localhost"),
        ("https://192.0.2.5:5986/wsman", "192.0.2.5"),
        ("[fe80::1]:5985/wsman", "[fe80::1]"),
    ],
)
def test_winrm_6_names_the_host_that_was_connected(
    connection_text: str, host: str, synthetic_case: SyntheticCase
) -> None:
    event = {
        "channel": "Microsoft-Windows-WinRM/Operational",
        "provider": "Microsoft-Windows-WinRM",
        "event_id": 6,
        "computer": "WS01",
        "time": "2026-05-01T12:00:00Z",
        "event_data": {"connection": connection_text},
    }
    connection = synthetic_case(list(expand_events({}, [event])))
    assert connection.execute("SELECT kind, connected_host FROM winrm").fetchall() == [
        ("session opened by this computer", host)
    ]


def test_a_script_that_lost_parts_says_so_and_a_copy_counts_once(synthetic_case: SyntheticCase) -> None:
    part = {
        "channel": "Microsoft-Windows-PowerShell/Operational",
        "provider": "Microsoft-Windows-PowerShell",
        "event_id": 4104,
        "computer": "WS01",
        "time": "2026-05-01T12:00:00Z",
    }
    numbers = ((3, "c"), (1, "a"), (1, "a"))
    events = [
        {
            **part,
            "event_data": {"MessageNumber": number, "MessageTotal": 3, "ScriptBlockText": text, "ScriptBlockId": "x"},
        }
        for number, text in numbers
    ]
    connection = synthetic_case(list(expand_events({}, events)))
    assert connection.execute("SELECT text, parts_found, parts_total, event_keys FROM script_block").fetchall() == [
        ("ac", 2, 3, [1, 2, 3])
    ]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("decode_utf16_base64('VwByAGkAdABlAC0ASABvAHMAdAAgACcAaABpACcA')", "Write-Host 'hi'"),
        ("decode_utf16_base64('VwByAGkAdABlAA')", "Write"),
        ("decode_utf16_base64('no base64!')", None),
        ("decode_utf16_hex('680069003DD800DE0000')", "hi??"),
        ("clean_ip('::ffff:10.1.2.3')", "10.1.2.3"),
        ("clean_ip('-')", None),
        ("known('Advapi  ')", "Advapi"),
        ("as_integer('0x560')", 0x560),
        ("clean_guid('{00000000-0000-0000-0000-000000000000}')", None),
        ("clean_guid('{5FDB15EE-2283-F23C-E23B-5E5DDB11BB9C}')", "5fdb15ee-2283-f23c-e23b-5e5ddb11bb9c"),
        ("account('-', 'bob')", "bob"),
        ("file_name('C:\\Windows\\CMD.EXE')", "cmd.exe"),
        ("is_machine_account('UMFD-0')", True),
        ("is_machine_account('administrator')", False),
        ("is_privileged_group('S-1-5-21-1-2-3-512')", True),
        ("is_privileged_group('S-1-5-32-5444')", False),
        ("name_list(['b', 'a', 'a', 'c'], 2)", "a, b and 1 more"),
        ("excerpt('a\r\n  b', 10)", "a b"),
        (
            "show_span(TIMESTAMP '2026-05-01 12:00:00', TIMESTAMP '2026-05-02 01:00:00')",
            "between 2026-05-01 12:00:00Z and 2026-05-02 01:00:00Z",
        ),
        ("status_meaning('0xC000006A')", "wrong password"),
        ("status_meaning('0xc0ffee')", "0xc0ffee"),
    ],
)
def test_macros(expression: str, expected: object, synthetic_case: SyntheticCase) -> None:
    assert synthetic_case([]).execute(f"SELECT {expression}").fetchone() == (expected,)
