"""Lateral movement that is not WinRM: WMI and PsExec, as source, target and domain controller log them."""

from datetime import datetime, timedelta

from samples import shapes
from samples.kerberos import grant_tgt, grant_ticket
from samples.logons import Source, explicit_credential, logoff, network_logon, subject
from samples.processes import (
    change_service,
    create_file,
    end_process,
    install_service,
    start_process,
    use_pipe,
)
from samples.remoting import SYSTEM32
from samples.scenario import HIGH, Account, Event, Host, Process, milliseconds
from samples.story import Story

_WMI_HOST = f"{SYSTEM32}\\wbem\\WmiPrvSE.exe"


def run_by_wmi(
    story: Story, at: datetime, by: Process, source: Host, target: Host, account: Account, line: str
) -> dict[str, list[Event]]:
    """Win32_Process.Create over RPC: 4648 for RPCSS here, a type 3 logon and a child of WmiPrvSE.exe there."""
    dc, port = story.controller, source.new_port()
    guid = None
    witnesses: dict[str, list[Event]] = {}
    if dc is not None:
        grant_tgt(dc, at - milliseconds(40), account, source.address, port + 1)
        guid, granted = grant_ticket(dc, at - milliseconds(30), account, target.account, source.address, port + 2)
        witnesses["ticket"] = [granted]
    witnesses["explicit"] = [
        explicit_credential(source, at, by.session, by, account, target.computer, f"RPCSS/{target.computer}")
    ]
    session, logon = network_logon(
        target, at + milliseconds(30), account, Source(source.address, port), label=HIGH, logon_guid=guid
    )
    witnesses["logon"] = logon
    wmi_host, started = start_process(
        target, at + milliseconds(90), target.dcom, _WMI_HOST, f"{_WMI_HOST} -secured -Embedding", session=target.system
    )
    witnesses["host"] = started
    output = f"1> \\\\127.0.0.1\\ADMIN$\\__{int(at.timestamp())}.{at.microsecond // 10} 2>&1"
    shell, started = start_process(
        target,
        at + milliseconds(140),
        wmi_host,
        f"{SYSTEM32}\\cmd.exe",
        f"cmd.exe /Q /c {line} {output}",
        session=session,
        folder="C:\\",
    )
    witnesses["shell"] = started
    program, _, arguments = line.partition(" ")
    child, started = start_process(
        target,
        at + milliseconds(170),
        shell,
        f"{SYSTEM32}\\{program}.exe",
        f"{program} {arguments}".strip(),
        folder="C:\\",
    )
    witnesses["child"] = started
    for number, process in enumerate((child, shell)):
        end_process(target, at + milliseconds(600 + 20 * number), process)
    logoff(target, at + timedelta(seconds=3), session, 3)
    return witnesses


def run_by_psexec(
    story: Story, at: datetime, by: Process, source: Host, target: Host, account: Account
) -> dict[str, list[Event]]:
    """PsExec: the tool here; there SMB logon, ADMIN$ and svcctl, the service, its pipes, and cmd.exe."""
    witnesses: dict[str, list[Event]] = {}
    path = "C:\\Tools\\PsExec64.exe"
    tool, started = start_process(
        source, at - timedelta(seconds=1), by, path, f"{path} \\\\{target.name} -accepteula cmd.exe"
    )
    witnesses["tool"] = started
    dc, port = story.controller, source.new_port()
    guid = None
    if dc is not None:
        guid, _ = grant_ticket(dc, at - milliseconds(20), account, target.account, source.address, port + 1)
    session, logon = network_logon(target, at, account, Source(source.address, port), label=HIGH, logon_guid=guid)
    witnesses["logon"] = logon
    common = subject(account, session.logon_id) | {
        "ObjectType": "File",
        "IpAddress": source.address,
        "IpPort": str(port),
    }
    admin = {"ShareName": "\\\\*\\ADMIN$", "ShareLocalPath": "\\??\\C:\\Windows"}
    pipes = {"ShareName": "\\\\*\\IPC$", "ShareLocalPath": ""}
    opened = target.log(
        shapes.SHARE_ACCESSED,
        at + milliseconds(20),
        by=target.kernel,
        fields=common | admin | {"AccessMask": 1, "AccessList": "%%4416\r\n\t\t\t\t"},
    )
    witnesses["share"] = [opened]
    remote_names = ("PSEXESVC.exe", "svcctl", "PSEXESVC", f"PSEXESVC-{source.name}-{tool.pid}-stdin")
    for number, name in enumerate(remote_names):
        mask, access = (2, "%%4417") if number == 0 else (0x12019F, "%%1538")
        fields = common | (admin if number == 0 else pipes)
        fields |= {
            "RelativeTargetName": name,
            "AccessMask": mask,
            "AccessList": f"{access}\r\n\t\t\t\t",
            "AccessReason": "-",
        }
        witnesses["share"].append(
            target.log(
                shapes.SHARE_FILE_ACCESSED, at + milliseconds(60 + 180 * number), by=target.kernel, fields=fields
            )
        )
    witnesses["file"] = [create_file(target, at + milliseconds(70), target.kernel, "C:\\Windows\\PSEXESVC.exe")]
    image = "%SystemRoot%\\PSEXESVC.exe"
    witnesses["service"] = [install_service(target, at + milliseconds(260), "PSEXESVC", image, account.sid)]
    audited = target.log(
        shapes.SERVICE_AUDITED,
        at + milliseconds(258),
        by=target.services,
        fields=subject(account, session.logon_id)
        | {
            "ServiceName": "PSEXESVC",
            "ServiceFileName": image,
            "ServiceType": 0x10,
            "ServiceStartType": 3,
            "ServiceAccount": "LocalSystem",
        },
    )
    witnesses["service"].append(audited)
    service_image = "C:\\Windows\\PSEXESVC.exe"
    service, started = start_process(target, at + milliseconds(340), target.services, service_image, service_image)
    witnesses["process"] = started
    witnesses["running"] = [
        change_service(target, at + milliseconds(420), "PSEXESVC", "PSEXESVC", is_running=True),
        use_pipe(target, at + milliseconds(430), service, "\\PSEXESVC", is_new=True),
        use_pipe(target, at + milliseconds(620), target.kernel, f"\\{remote_names[-1]}", is_new=False),
    ]
    shell, started = start_process(
        target, at + milliseconds(900), service, f"{SYSTEM32}\\cmd.exe", '"cmd.exe"', session=session
    )
    witnesses["shell"] = started
    end_process(target, at + timedelta(seconds=40), shell)
    end_process(target, at + timedelta(seconds=40.2), service)
    logoff(target, at + timedelta(seconds=41), session, 3)
    return witnesses
