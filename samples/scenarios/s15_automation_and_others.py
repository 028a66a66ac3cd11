"""Harmless automation beside other ways of lateral movement.

Ansible configures three servers over WinRM from a Linux host: on two by winrs with encoded commands, on one by
PowerShell Remoting. The SCCM client of WS12 runs its inventory by WMI and PowerShell, all on one host. jdoe reaches
SRV03 by WMI and by PsExec: RPC and SMB, so that no 91 and no wsmprovhost.exe is anywhere.
"""

from datetime import datetime, timedelta

from samples import shapes
from samples.cast import ADM_LEE, JDOE, MANAGEMENT_ADDRESS, SVC_DEPLOY
from samples.desks import CONSOLE, seat
from samples.lateral import run_by_psexec, run_by_wmi
from samples.powershell import encode_command, log_script, new_engine, open_console, start_engine, stop_engine
from samples.processes import end_process, start_process
from samples.remoting import SYSTEM32, Client, Login, open_shell
from samples.scenario import Event, Host, milliseconds
from samples.story import Story

TITLE = "Ansible and SCCM, WMI and PsExec"
_MODULE = (
    "# synthetic module of the automation, does nothing\r\n$result = @{ changed = $false }; ConvertTo-Json $result"
)


def tell(story: Story) -> None:
    story.host("DC01")
    _run_ansible_by_winrs(story, story.host("SRV02"), story.clock("04:00:12.100"))
    _run_ansible_by_winrs(story, story.host("WEB01"), story.clock("04:00:31.700"))
    _run_ansible_by_remoting(story, story.host("SRV03"), story.clock("04:00:50.300"))
    _run_inventory(story, story.clock("05:10:00.250"))
    _move_laterally(story)


def _run_ansible_by_winrs(story: Story, host: Host, at: datetime) -> None:
    """One shell, a task each three seconds: cmd.exe, and PowerShell with the module as an encoded command."""
    login = Login(SVC_DEPLOY)
    shell = open_shell(story, at, Client(MANAGEMENT_ADDRESS), host, login, kind="winrs", logon_count=2, text="Ansible")
    story.tell(at, host, SVC_DEPLOY, "Ansible's nightly run over winrs")
    arguments = f"-NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand {encode_command(_MODULE)}"
    commands: list[Event] = []
    encoded: list[Event] = []
    related: list[Event] = []
    for number in range(2):
        moment = at + timedelta(seconds=2 + 3 * number)
        cmd, started = shell.run(moment, "cmd.exe", f"/C PowerShell {arguments}", seconds=2.2)
        commands += started
        # Not by shell.run: its command line has no quotes, as cmd.exe starts it.
        process, inner = start_process(
            host, moment + milliseconds(40), cmd, CONSOLE, f"PowerShell  {arguments}", folder=shell.folder
        )
        shell.truth.witness("child_process", inner)
        encoded += inner
        engine = new_engine(host, process)
        related += open_console(engine, moment + milliseconds(240))
        related += start_engine(engine, moment + milliseconds(300))
        related += log_script(engine, moment + milliseconds(600), _MODULE)
        related.append(stop_engine(engine, moment + timedelta(seconds=2)))
        shell.truth.witness("child_process_end", end_process(host, moment + timedelta(seconds=2.1), process))
    shell.close(at + timedelta(seconds=9))
    story.expect("remoting_child_process", host, "Ansible's tasks", commands, [*encoded, *related], is_benign=True)
    text = "Ansible's encoded commands"
    story.expect("powershell_encoded_command", host, text, encoded, [*commands, *related], is_benign=True)
    story.near_miss("wmi_remote_execution", host, "a cmd.exe below winrshost.exe, not WmiPrvSE.exe", commands)


def _run_ansible_by_remoting(story: Story, host: Host, at: datetime) -> None:
    """The psrp connection: modules run inside the session, no child process."""
    login = Login(SVC_DEPLOY)
    shell = open_shell(story, at, Client(MANAGEMENT_ADDRESS), host, login, logon_count=2, text="Ansible by psrp")
    story.tell(at, host, SVC_DEPLOY, "Ansible's nightly run over PowerShell Remoting")
    for number in range(3):
        shell.script(at + timedelta(seconds=2 + 2 * number), _MODULE)
    shell.close(at + timedelta(seconds=11))
    story.near_miss(
        "remoting_child_process", host, "a session without child processes", shell.truth.witnesses["host_process"]
    )


def _run_inventory(story: Story, at: datetime) -> None:
    """CcmExec.exe asks WMI and starts a signed script; no logon from elsewhere."""
    host = story.host("WS12")
    image = "C:\\Windows\\CCM\\CcmExec.exe"
    agent, _ = start_process(host, story.clock("04:55:02.000"), host.services, image, image)
    host.log(
        shapes.WMI_PROVIDER_STARTED,
        at,
        by=host.wmi,
        fields={
            "ProviderName": "CIMWin32",
            "Code": 0,
            "HostProcess": "wmiprvse.exe",
            "ProcessID": 3340,
            "ProviderPath": "%systemroot%\\system32\\wbem\\cimwin32.dll",
        },
        user_sid="S-1-5-18",
    )
    host.log(
        shapes.WMI_TEMPORARY_CONSUMER,
        at + milliseconds(200),
        by=host.wmi,
        fields={
            "NamespaceName": "root\\CCM\\Events",
            "Query": "select * from CCM_PolicyAgent_Event",
            "User": "NT AUTHORITY\\SYSTEM",
            "Processid": agent.pid,
            "ClientMachine": host.name,
            "PossibleCause": "Temporary",
        },
        user_sid="S-1-5-18",
    )
    policy = "-NoLogo -Noninteractive -NoProfile -ExecutionPolicy Bypass"
    command = f'"{CONSOLE}" {policy} "& \'C:\\Windows\\CCM\\inventory.ps1\'"'
    script, started = start_process(host, at + timedelta(seconds=1), agent, CONSOLE, command)
    engine = new_engine(host, script)
    open_console(engine, at + timedelta(seconds=1.3))
    start_engine(engine, at + timedelta(seconds=1.4))
    stop_engine(engine, at + timedelta(seconds=9))
    end_process(host, at + timedelta(seconds=9.1), script)
    story.tell(at, host, host.account, "the SCCM client's inventory")
    story.near_miss("powershell_encoded_command", host, "SCCM's script with -ExecutionPolicy Bypass", started)


def _move_laterally(story: Story) -> None:
    ws07, srv03 = story.host("WS07"), story.host("SRV03")
    console = seat(story, "WS07", JDOE, "08:02:31.207", "09:40:10.250")
    cmd, _ = start_process(ws07, story.clock("09:41:00.500"), console.process, f"{SYSTEM32}\\cmd.exe", "cmd.exe")
    at = story.clock("09:42:11.320")
    by_wmi = run_by_wmi(story, at, cmd, ws07, srv03, ADM_LEE, "whoami /all")
    story.tell(at, ws07, JDOE, "runs whoami on SRV03 by WMI, as adm-lee")
    story.expect(
        "wmi_remote_execution",
        srv03,
        "cmd.exe below WmiPrvSE.exe with output to ADMIN$",
        by_wmi["shell"],
        [*by_wmi["explicit"], *by_wmi["logon"], *by_wmi["child"]],
    )
    at = story.clock("09:50:44.207")
    by_psexec = run_by_psexec(story, at, cmd, ws07, srv03, ADM_LEE)
    story.tell(at, ws07, JDOE, "opens a command shell on SRV03 with PsExec, as adm-lee")
    related = [event for role, events in by_psexec.items() if role != "service" for event in events]
    story.expect("psexec_service", srv03, "the service PSEXESVC", by_psexec["service"], related)
    story.expect("admin_share_write", srv03, "PSEXESVC.exe into ADMIN$, svcctl", by_psexec["share"])
    story.near_miss(
        "winrm_shell_created", srv03, "WMI and PsExec are RPC and SMB", [*by_wmi["logon"], *by_psexec["logon"]]
    )
