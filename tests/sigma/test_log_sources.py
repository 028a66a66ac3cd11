"""Where a rule's log source is read: Sysmon, audit events, PowerShell 5 and 7, services; and what is not here."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from evtxhunt.errors import RulesError
from evtxhunt.pipeline.sigma import explain_log_sources
from evtxhunt.sigma.logsource import read_log_sources, read_placeholders
from evtxhunt.sigma.model import LogSource
from tests.sigma.rules import LOG_SOURCES, SECURITY, SYSMON, event, hits, make_case, rule, run

CREATION, CONNECTION = "category: process_creation", "category: network_connection"
SET, SCRIPT = "category: registry_set", "category: ps_script"
POWERSHELL = {"channel": "Microsoft-Windows-PowerShell/Operational", "provider": "Microsoft-Windows-PowerShell"}
POWERSHELL_7 = {"channel": "PowerShellCore/Operational", "provider": "PowerShellCore"}
CLASSIC = {"channel": "Windows PowerShell", "provider": "PowerShell"}
STARTED = {
    "SubjectUserSid": "S-1-5-21-1-2-3-1001",
    "SubjectUserName": "bob",
    "SubjectDomainName": "CORP",
    "SubjectLogonId": "0x3e8",
    "NewProcessId": "0x560",
    "NewProcessName": "C:\\Windows\\System32\\cmd.exe",
    "ProcessId": "0x4",
    "ParentProcessName": "C:\\Windows\\explorer.exe",
    "CommandLine": "cmd /c whoami",
    "MandatoryLabel": "S-1-16-12288",
    "TargetUserSid": "S-1-0-0",
    "TargetUserName": "-",
    "TargetDomainName": "-",
    "TargetLogonId": "0x0",
}
SET_VALUE = {
    "SubjectUserName": "bob",
    "ObjectName": "\\REGISTRY\\MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run",
    "ObjectValueName": "evil",
    "OperationType": "%%1904",
    "NewValue": "C:\\evil.exe",
    "ProcessName": "C:\\Windows\\regedit.exe",
}
CONNECTED = {
    "ProcessID": "1234",
    "Application": "\\device\\harddiskvolume1\\windows\\system32\\powershell.exe",
    "Direction": "%%14593",
    "SourceAddress": "10.0.0.5",
    "SourcePort": "50000",
    "DestAddress": "203.0.113.7",
    "DestPort": "443",
    "Protocol": "6",
}


@pytest.mark.parametrize(
    ("source", "detection", "found"),
    [
        (CREATION, "{Image|endswith: '\\cmd.exe', CommandLine|contains: whoami}", event(SECURITY, 4688, STARTED)),
        (CREATION, "{ParentImage|endswith: '\\explorer.exe'}", event(SECURITY, 4688, STARTED)),
        (CREATION, "{User: 'CORP\\bob', LogonId: 1000}", event(SECURITY, 4688, STARTED)),
        (CREATION, "{ProcessId: 1376, ParentProcessId: 4}", event(SECURITY, 4688, STARTED)),
        (CREATION, "{IntegrityLevel: High}", event(SECURITY, 4688, STARTED)),
        (CREATION, "{NewProcessName|endswith: cmd.exe}", event(SECURITY, 4688, STARTED)),
        (
            CREATION,
            "{User: 'NT AUTHORITY\\SYSTEM'}",
            event(SECURITY, 4688, STARTED | {"SubjectUserSid": "S-1-5-18", "SubjectUserName": "WS01$"}),
        ),
        (
            CREATION,
            "{User: 'CORP\\eve', LogonId: '0x99'}",
            event(
                SECURITY,
                4688,
                STARTED | {"TargetUserName": "eve", "TargetDomainName": "CORP", "TargetLogonId": "0x99"},
            ),
        ),
        (CREATION, "{Image|endswith: cmd.exe}", event(SYSMON, 1, {"Image": "C:\\cmd.exe"})),
        (
            "category: process_termination",
            "{Image|endswith: cmd.exe}",
            event(SECURITY, 4689, {"ProcessName": "C:\\cmd.exe"}),
        ),
        (
            CONNECTION,
            "{Image|endswith: '\\powershell.exe', Initiated: 'true', DestinationPort: 443, DestinationIp: 203.0.113.7}",
            event(SECURITY, 5156, CONNECTED),
        ),
        (CONNECTION, "{Initiated: 'false'}", event(SECURITY, 5156, CONNECTED | {"Direction": "%%14592"})),
        (CONNECTION, "{Protocol: tcp, SourceIp: 10.0.0.5}", event(SECURITY, 5156, CONNECTED)),
        (
            SET,
            "{TargetObject: 'HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run\\evil', Details: 'C:\\evil.exe'}",
            event(SECURITY, 4657, SET_VALUE),
        ),
        (
            SET,
            "{TargetObject|startswith: 'HKLM\\System\\CurrentControlSet\\Services', EventType: SetValue}",
            event(
                SECURITY, 4657, SET_VALUE | {"ObjectName": "\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\Services\\x"}
            ),
        ),
        *(
            (
                SET,
                f"{{Details: '{details}'}}",
                event(SECURITY, 4657, SET_VALUE | {"NewValueType": kind, "NewValue": value}),
            )
            for details, kind, value in (
                ("DWORD (0x00000001)", "%%1876", "1"),
                ("DWORD (0xffffffff)", "%%1876", "4294967295"),
                ("4294967296", "%%1876", "4294967296"),  # none
                ("QWORD (0x01d4de95-0x1de60760)", "%%1883", "131975021133694816"),
                ("QWORD (0xffffffff-0xffffffff)", "%%1883", "18446744073709551615"),
                ("Binary Data", "%%1875", "de ad"),
                ("1", "%%1873", "1"),  # a text
                ("C:\\evil.exe", "-", "C:\\evil.exe"),
            )
        ),
        (
            "category: registry_event",
            "{TargetObject: 'HKU\\S-1-5-21-1\\x\\evil'}",
            event(SECURITY, 4657, SET_VALUE | {"ObjectName": "\\REGISTRY\\USER\\S-1-5-21-1\\x"}),
        ),
        (
            "category: registry_delete",
            "{EventType: DeleteValue}",
            event(SECURITY, 4657, SET_VALUE | {"OperationType": "%%1906"}),
        ),
        ("category: registry_event", "{TargetObject: x}", event(SYSMON, 14, {"TargetObject": "x"})),
        (SCRIPT, "{ScriptBlockText|contains: mimikatz}", event(POWERSHELL, 4104, {"ScriptBlockText": "mimikatz"})),
        (SCRIPT, "{ScriptBlockText|contains: mimikatz}", event(POWERSHELL_7, 4104, {"ScriptBlockText": "mimikatz"})),
        ("category: ps_module", "{Payload|contains: x}", event(POWERSHELL_7, 4103, {"Payload": "x"})),
        (
            "category: ps_classic_start",
            "{Data|contains: 'EngineVersion=2.'}",
            event(CLASSIC, 400, {}, data_list=["Available", "None", "\tHostVersion=5\r\n\tEngineVersion=2.0"]),
        ),
        ("service: powershell-classic", "{Data: None}", event(CLASSIC, 400, {}, data_list=["Available", "None", "x"])),
        ("service: security", "{EventID: 4624, TargetUserName: eve}", event(SECURITY, 4624, {"TargetUserName": "eve"})),
        (
            "service: SECURITY",
            "{Channel: security, Computer|startswith: ws01}",
            event(SECURITY, 4624, {"TargetUserName": "eve"}),
        ),
        (
            "service: security",
            "{EventID: 1102, SubjectUserName: eve}",
            event(
                SECURITY,
                1102,
                {},
                user_data={"LogFileCleared": {"#attributes": {"xmlns": "x"}, "SubjectUserName": "eve"}},
            ),
        ),
        (
            "service: system",
            "{Provider_Name: Microsoft-Windows-Eventlog, Channel: Windows PowerShell}",
            event(
                {"channel": "System", "provider": "Microsoft-Windows-Eventlog"},
                104,
                {},
                user_data={"LogFileCleared": {"Channel": "Windows PowerShell"}},
            ),
        ),
        (
            "service: windefend",
            "{ThreatName|contains: Mimikatz, SourceName: AMSI}",
            event(
                {"channel": "Microsoft-Windows-Windows Defender/Operational", "provider": "x"},
                1116,
                {"Threat Name": "HackTool:Win32/Mimikatz", "Source Name": "AMSI"},
            ),
        ),
        ("service: system", "{ProcessId: 0}", event({"channel": "System", "provider": "x"}, 7045, {}, process_id=0)),
    ],
)
def test_a_rule_reads(source: str, detection: str, found: dict[str, Any], tmp_path: Path) -> None:
    other = event(SYSMON, 99, {"Image": "nothing"})
    case = make_case(tmp_path / "case.duckdb", [other, found])
    assert hits(case, rule(f"selection: {detection}", source), tmp_path) == [2]


@pytest.mark.parametrize(
    ("source", "detection", "other"),
    [
        (SET, "{TargetObject|endswith: evil}", event(SECURITY, 4657, SET_VALUE | {"OperationType": "%%1906"})),
        (CREATION, "{User: '-'}", event(SECURITY, 4688, STARTED)),
        (CREATION, "{IntegrityLevel: Low}", event(SECURITY, 4688, STARTED)),
        (CREATION, "{Image|endswith: cmd.exe}", event(SYSMON, 5, {"Image": "C:\\cmd.exe"})),
        # Copies out of their time are not counted.
        (CREATION, "{Image: a}", event(SYSMON, 1, {"Image": "a"}, origin="slack")),
        (CREATION, "{Image: a}", event(SYSMON, 1, {"Image": "a"}, origin="carved")),
        # The first of two texts is not the whole.
        ("service: powershell-classic", "{Data: 'a b'}", event(CLASSIC, 400, {}, data_list=["a", "b"])),
        (
            "service: powershell-classic",
            "{Data|startswith: b, Data|endswith: a}",
            event(CLASSIC, 400, {}, data_list=["a", "c"]),
        ),
    ],
)
def test_a_rule_does_not_take(source: str, detection: str, other: dict[str, Any], tmp_path: Path) -> None:
    shape = [event(SYSMON, 1, {"Image": "x"}), event(SECURITY, 4657, {}), event(CLASSIC, 400, {}, data_list=["x", "y"])]
    case = make_case(tmp_path / "case.duckdb", [other, *shape])
    assert hits(case, rule(f"selection: {detection}", source), tmp_path) == []


def test_a_process_seen_by_sysmon_and_by_the_audit_log_is_two_hits(tmp_path: Path) -> None:
    case = make_case(
        tmp_path / "case.duckdb",
        [event(SECURITY, 4688, STARTED), event(SYSMON, 1, {"Image": "C:\\Windows\\System32\\cmd.exe"})],
    )
    assert hits(case, rule("selection: {Image|endswith: '\\cmd.exe'}"), tmp_path) == [1, 2]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("category: image_load", "the case has no events of its log source (windows image_load)"),
        ("service: wmi", "the case has no events of its log source (windows wmi)"),
        ("category: file_access", "no log is known for its log source (windows file_access); see --explain-logsource"),
        ("service: nosuch", "no log is known for its log source (windows nosuch); see --explain-logsource"),
    ],
)
def test_a_source_that_is_not_here_is_not_applicable_and_not_zero(source: str, reason: str, tmp_path: Path) -> None:
    case = make_case(tmp_path / "case.duckdb", [event(SYSMON, 1, {"Image": "a"})])
    (tmp_path / "rule.yml").write_text(rule("selection: {Image: a}", source))
    findings, runs = run(case, tmp_path / "rule.yml")
    assert findings == []
    assert (runs["T"].state, runs["T"].findings, runs["T"].reason) == ("not applicable", None, reason)


def test_rules_of_other_systems_are_not_applicable(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case.duckdb", [event(SYSMON, 1, {"Image": "a"})])
    text = rule("selection: {Image: a}").replace("product: windows", "product: linux")
    (tmp_path / "rule.yml").write_text(text)
    _, runs = run(case, tmp_path / "rule.yml")
    assert runs["T"].reason == "its log source is not of Windows (linux process_creation)"


def test_a_rule_of_a_category_without_product_is_run(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case.duckdb", [event(SYSMON, 1, {"Image": "a"})])
    text = rule("selection: {Image: a}").replace("    product: windows\n", "")
    assert hits(case, text, tmp_path) == [1]


def test_a_rule_of_windows_alone_reads_every_event(tmp_path: Path) -> None:
    case = make_case(
        tmp_path / "case.duckdb", [event(SYSMON, 1, {"Image": "a"}), event(SECURITY, 4624, {"Image": "a"})]
    )
    assert hits(case, rule("selection: {Image: a}", "definition: any"), tmp_path) == [1, 2]


def test_category_and_service_together_narrow_each_other(tmp_path: Path) -> None:
    case = make_case(
        tmp_path / "case.duckdb", [event(SYSMON, 1, {"Image": "a"}), event(SECURITY, 4688, {"NewProcessName": "a"})]
    )
    text = rule("selection: {Image: a}", "category: process_creation\n    service: sysmon")
    assert hits(case, text, tmp_path) == [1]


def test_the_table_says_where_each_source_is_and_what_the_case_has_there(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case.duckdb", [event(SECURITY, 4688, STARTED)] * 2)
    shown = list(explain_log_sources(read_log_sources(LOG_SOURCES), case, "1GB"))
    rows = {(row[0], row[1]): row[2:] for row in shown}
    event_ids, fields, events = rows["process_creation", "Security"]
    assert (event_ids, events) == ("4688", 2)
    assert str(fields).startswith("Image = NewProcessName, ParentImage = ParentProcessName, ")
    assert rows["process_creation", "Microsoft-Windows-Sysmon/Operational"] == ("1", "", 0)
    assert "only OperationType %%1906" in str(rows["registry_delete", "Security"][1])
    assert [row[0] for row in shown[:3]] == ["clipboard_capture", "create_remote_thread", "create_stream_hash"]


@pytest.mark.corpus
def test_every_log_source_of_sigmahq_is_mapped_but_those_that_write_no_log(shared_root: Path) -> None:
    sources = read_log_sources(LOG_SOURCES)
    unmapped = set()
    for path in (shared_root / "sigma").glob("rules*/**/*.yml"):
        for content in yaml.load_all(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader):
            given = content["logsource"]
            source = LogSource(given.get("product"), given.get("category"), given.get("service"))
            if not sources.places_of(source):
                unmapped.add(str(source))
    assert unmapped == {"windows file_access", "windows file_rename"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[source]]\n", "[[source]] number 1: it needs a category or a service"),
        ('[[source]]\ncategory = "a"\nservice = "b"\nchannel = ["x"]', "it needs a category or a service"),
        ('[[source]]\ncategory = "a"\nchannel = "x"', "channel must be a list of texts"),
        ('[[source]]\ncategory = "a"\nchannel = ["x"]\nevent_id = ["1"]', "event_id one of numbers"),
        ('[[source]]\ncategory = "a"\nchannel = ["x"]\ncolour = 1', "unknown key colour"),
        ('[[source]]\ncategory = "a"\nchannel = ["x"]\nwhere = {a = 1}', "where must give each field a list of texts"),
        ('[[source]]\ncategory = "a"\nchannel = ["x"]\nfields = {a = 1}', "field a must be a name"),
        (
            '[[source]]\ncategory = "a"\nchannel = ["x"]\nfields = {a = {from = "b", value = {}}}',
            "field a must be a name",
        ),
        ("source = 1", "holds [[source]] tables and nothing else"),
        ("[[source]", "cannot be read"),
    ],
)
def test_a_broken_table_is_named_with_its_entry(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "sigma_logsources.toml"
    path.write_text(text)
    with pytest.raises(RulesError) as raised:
        read_log_sources(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert said in str(raised.value)


@pytest.mark.parametrize("text", ["a = 1", "a = []", 'a = ["x", 1]', "a ="])
def test_broken_placeholders_are_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "placeholders.toml"
    path.write_text(text)
    with pytest.raises(RulesError, match=r"placeholders\.toml: (placeholder a must|the placeholders cannot)"):
        read_placeholders(path)
