"""The attack of the demo, in the order it happens: from WS07 over SRV02 and SRV03 to DC01."""

from datetime import timedelta

from samples import shapes
from samples.accounts import add_administrator, create_account
from samples.cast import ADM_LEE, ATTACKER_ADDRESS, JDOE, STAFF, SVC_BACKUP, local
from samples.desks import CONSOLE, Desk
from samples.logons import Source, logoff, logon_failure, network_logon, new_credentials_logon, subject
from samples.powershell import Engine, encode_command, log_script, new_engine, open_console, start_engine
from samples.processes import change_service, create_file, install_service, start_process
from samples.remoting import SYSTEM32, Shell
from samples.scenario import HIGH, Account, Event, Process, milliseconds
from samples.scenarios.s12_three_hops import leave_chain, walk_chain
from samples.scripts import INVENTORY
from samples.shape import FieldInput
from samples.story import Story

_LOADER = (
    "# synthetic demo, does nothing\r\n"
    f"$u = 'http://{ATTACKER_ADDRESS}/stage'; Write-Output \"would fetch $u\"; Get-Date"
)


def tell_attack(story: Story, desk: Desk) -> None:
    clock = story.clock
    console = _open_encoded_console(story, desk)
    _guess_administrator(story)
    _spray_staff(story)
    chain = walk_chain(story, console, clock("09:18:02.731"))
    shell = chain.shells[0]
    for role in ("logon", "special_logon", "tgt"):
        story.relate("password_spray", shell.truth.witnesses[role])
    shell.script(clock("09:24:05.613"), INVENTORY)
    story.tell(clock("09:24:05.613"), shell.host, SVC_BACKUP, "runs a long inventory script, logged in three parts")
    added = _add_account(story, shell)
    for name, events in chain.programs.items():
        text = f"programs started by wsmprovhost on {name}"
        story.expect("remoting_child_process", story.host(name), text, events + (added if name == "SRV02" else []))
    seen = chain.programs["SRV02"]
    story.expect("reconnaissance_burst", story.host("SRV02"), "five programs in a row", seen, added)
    leave_chain(story, chain, clock("09:31:20.015"))
    cmd = _pass_the_hash(story, desk)
    remote = _run_psexec(story, cmd)
    _clear_logs(story, remote)


def _open_encoded_console(story: Story, desk: Desk) -> Engine:
    """R16: a console with an encoded command, started from the desktop."""
    host, at = story.host("WS07"), story.clock("09:02:11.250")
    command = f"{CONSOLE} -NoP -W Hidden -Enc {encode_command(_LOADER)}"
    process, started = start_process(
        host, at, desk.explorer, CONSOLE, command, session=desk.elevated, folder="C:\\Users\\jdoe\\"
    )
    engine = new_engine(host, process)
    open_console(engine, at + milliseconds(300))
    engine_events = start_engine(engine, at + milliseconds(350))
    log_script(engine, at + milliseconds(620), _LOADER)
    story.tell(at, host, JDOE, "starts a hidden PowerShell with an encoded command in jdoe's session")
    story.expect(
        "powershell_encoded_command",
        host,
        "4688 and Sysmon 1 with -Enc and base64 of UTF-16LE; the engine events repeat it",
        started,
        engine_events,
    )
    return engine


def _guess_administrator(story: Story) -> None:
    """L01: 14 wrong passwords for one account in three minutes."""
    host, start = story.host("SRV02"), story.clock("09:05:04.118")
    events = [
        logon_failure(
            host,
            start + timedelta(seconds=13 * number, milliseconds=41 * number % 977),
            "Administrator",
            "SRV02",
            Source(story.host("WS07").address, 50211 + number, story.host("WS07").name),
        )
        for number in range(14)
    ]
    story.tell(start, story.host("WS07"), JDOE, "guesses the password of SRV02\\Administrator 14 times in 3 minutes")
    story.expect("logon_failure_burst", host, "14 failures of one account from WS07", tuple(events))


def _spray_staff(story: Story) -> None:
    """L02: one password each for 12 accounts; the last one is right."""
    host, start = story.host("SRV02"), story.clock("09:10:20.406")
    targets = (*STAFF, _unknown_member())
    events = [
        logon_failure(
            host,
            start + timedelta(seconds=27 * number, milliseconds=53 * number % 911),
            account.name,
            "CORP",
            Source(story.host("WS07").address, 50301 + number, story.host("WS07").name),
            is_unknown_user=account is targets[-1],
        )
        for number, account in enumerate(targets)
    ]
    success = start + timedelta(seconds=27 * len(targets))
    source = Source(story.host("WS07").address, 50320, story.host("WS07").name)
    session, logon = network_logon(host, success, SVC_BACKUP, source, package="NTLM", label=HIGH)
    logoff(host, success + timedelta(seconds=9), session, 3)
    story.tell(start, story.host("WS07"), JDOE, "tries one password on 12 accounts of SRV02, one of them unknown")
    story.tell(success, story.host("WS07"), SVC_BACKUP, "the next account has that password: network logon to SRV02")
    story.expect("password_spray", host, "12 accounts, one try each, from WS07", tuple(events), tuple(logon))


def _unknown_member() -> Account:
    """A name the domain does not know."""
    return Account("svc-sql", "CORP", "S-1-0-0")


def _add_account(story: Story, shell: Shell) -> list[Event]:
    """A local administrator as a way back, by net.exe below wsmprovhost: its process starts."""
    host, at = shell.host, story.clock("09:27:13.300")
    children: list[Event] = []
    for offset, arguments in (
        (0, "user helpdesk2 * /add"),
        (9000, "localgroup Administrators helpdesk2 /add"),
    ):
        _, started = shell.run(at + milliseconds(offset), "net.exe", arguments, seconds=0.7)
        children += started
    account = local(host.name, "helpdesk2", 1003)
    created = create_account(host, at + milliseconds(310), shell.logon, account)
    added = add_administrator(host, at + milliseconds(9310), shell.logon, account)
    story.expect("privileged_group_member_added", host, "helpdesk2 becomes an administrator", [added], created)
    story.tell(at, host, SVC_BACKUP, "creates the local account helpdesk2 and makes it an administrator")
    return children


def _pass_the_hash(story: Story, desk: Desk) -> Process:
    """L04: a type 9 logon whose network credentials are adm-lee's."""
    host, at = story.host("WS07"), story.clock("09:33:10.444")
    tool_path = "C:\\Users\\jdoe\\AppData\\Local\\Temp\\mk.exe"
    tool, _ = start_process(
        host,
        at - timedelta(seconds=4),
        desk.explorer,
        tool_path,
        f'"{tool_path}" pth /user:adm-lee /domain:CORP /run:cmd.exe',
        session=desk.elevated,
        folder="C:\\Users\\jdoe\\AppData\\Local\\Temp\\",
    )
    session, logon = new_credentials_logon(host, at, desk.elevated, ADM_LEE, host.scheduler)
    cmd, started = start_process(host, at + milliseconds(35), tool, f"{SYSTEM32}\\cmd.exe", "cmd.exe", session=session)
    story.tell(at, host, JDOE, "starts cmd.exe with adm-lee's stolen hash: new credentials by seclogo")
    story.expect(
        "pass_the_hash_seclogo",
        host,
        "4624 type 9 by seclogo, outbound user adm-lee",
        [logon],
        started,
    )
    return cmd


def _run_psexec(story: Story, cmd: Process) -> Process:
    """M01 and P01: PsExec's service, then a second one that starts a program from a Temp folder.

    The command shell that PsExec opens on SRV02 is the result.
    """
    ws07, host, at = story.host("WS07"), story.host("SRV02"), story.clock("09:35:44.207")
    path = "C:\\Users\\jdoe\\AppData\\Local\\Temp\\PsExec64.exe"
    _, client = start_process(ws07, at - timedelta(seconds=2), cmd, path, f"{path} \\\\SRV02 -accepteula cmd.exe")
    story.relate("pass_the_hash_seclogo", client)
    source = Source(ws07.address, 50388, ws07.name)
    session, _ = network_logon(host, at, ADM_LEE, source, package="NTLM", label=HIGH)
    dropped = create_file(host, at + milliseconds(120), host.kernel, "C:\\Windows\\PSEXESVC.exe")
    installed = install_service(host, at + milliseconds(260), "PSEXESVC", "%SystemRoot%\\PSEXESVC.exe", ADM_LEE.sid)
    service, service_started = start_process(
        host,
        at + milliseconds(340),
        host.services,
        "C:\\Windows\\PSEXESVC.exe",
        "C:\\Windows\\PSEXESVC.exe",
    )
    running = change_service(host, at + milliseconds(420), "PSEXESVC", "PSEXESVC", is_running=True)
    shell, shell_started = start_process(
        host, at + milliseconds(900), service, f"{SYSTEM32}\\cmd.exe", '"cmd.exe"', session=session
    )
    story.tell(at, host, ADM_LEE, "PsExec from WS07: the service PSEXESVC is installed and starts cmd.exe")
    story.expect(
        "psexec_service",
        host,
        "7045 PSEXESVC",
        (installed,),
        (dropped, running, *service_started, *shell_started),
    )
    image = "%COMSPEC% /C start /b C:\\Windows\\Temp\\wupdsync.exe"
    later = story.clock("09:38:02.660")
    second = install_service(host, later, "WUpdSync", image, ADM_LEE.sid)
    story.tell(later, host, ADM_LEE, "installs the service WUpdSync, which starts a program in C:\\Windows\\Temp")
    story.expect("suspicious_service", host, "7045 with a command shell and a Temp folder", (second,))
    return shell


def _clear_logs(story: Story, shell: Process) -> None:
    """E01: the Security log is cleared a minute and a half after it was archived."""
    host, at = story.host("SRV02"), story.clock("09:41:37.802")
    session = shell.session
    cleared_by: list[list[Event]] = []
    for offset, log in ((0, "Security"), (6000, "Application")):
        _, started = start_process(
            host,
            at + milliseconds(offset - 90),
            shell,
            f"{SYSTEM32}\\wevtutil.exe",
            f"wevtutil.exe cl {log}",
        )
        cleared_by.append(started)
    cleared = host.log(
        shapes.SECURITY_LOG_CLEARED,
        at,
        by=host.event_log,
        fields=subject(session.account, session.logon_id),
    )
    fields: dict[str, FieldInput] = {
        "SubjectUserName": session.account.name,
        "SubjectDomainName": session.account.domain,
        "Channel": "Application",
        "BackupPath": "",
    }
    other = host.log(
        shapes.LOG_CLEARED,
        at + timedelta(seconds=6),
        by=host.event_log,
        fields=fields,
        user_sid=session.account.sid,
    )
    story.tell(at, host, ADM_LEE, "clears the Security log and the Application log of SRV02")
    # The 4688 of the first wevtutil went with the log it cleared.
    (_, first_sysmon), second = cleared_by
    related = (other, first_sysmon, *second)
    story.expect("security_log_cleared", host, "1102; beside it 104 and wevtutil", (cleared,), related)
