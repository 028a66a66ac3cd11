"""The attack of the demo, in the order it happens: WS07 (source) and SRV02 (target)."""

from dataclasses import dataclass
from datetime import timedelta

from samples import shapes
from samples.accounts import add_administrator, create_account
from samples.demo_cast import (
    ADM_LEE,
    ATTACKER_ADDRESS,
    CLIENT_VERSION,
    JDOE,
    SERVER_VERSION,
    STAFF,
    SVC_BACKUP,
    Demo,
    Desk,
    Expectation,
    clock,
)
from samples.logons import (
    Source,
    explicit_credential,
    logoff,
    logon_failure,
    network_logon,
    new_credentials_logon,
    subject,
)
from samples.powershell import (
    Engine,
    create_shell,
    encode_command,
    log_command,
    log_script,
    new_engine,
    open_console,
    open_wsman_session,
    start_engine,
    stop_engine,
)
from samples.processes import (
    change_service,
    connect,
    create_file,
    end_process,
    install_service,
    start_process,
)
from samples.scenario import HIGH, Account, Event, Process, Session, milliseconds
from samples.shape import FieldInput

_SYSTEM32 = "C:\\Windows\\System32"
_CONSOLE = f"{_SYSTEM32}\\WindowsPowerShell\\v1.0\\powershell.exe"
_SRV02_SID = "S-1-5-21-2386417743-3104622211-1905520177"
_LOADER = (
    "# synthetic demo, does nothing\r\n"
    f"$u = 'http://{ATTACKER_ADDRESS}/stage'; Write-Output \"would fetch $u\"; Get-Date"
)
_RECON = (
    ("whoami.exe", '"C:\\Windows\\system32\\whoami.exe" /all'),
    ("ipconfig.exe", '"C:\\Windows\\system32\\ipconfig.exe" /all'),
    ("net.exe", '"C:\\Windows\\system32\\net.exe" group "Domain Admins" /domain'),
    ("nltest.exe", '"C:\\Windows\\system32\\nltest.exe" /domain_trusts'),
    ("systeminfo.exe", '"C:\\Windows\\system32\\systeminfo.exe"'),
)


def tell_attack(demo: Demo, desk: Desk) -> None:
    console = _open_encoded_console(demo, desk)
    _guess_administrator(demo)
    _spray_staff(demo)
    shell = _enter_session(demo, console)
    _look_around(demo, shell)
    _add_account(demo, shell)
    _leave_session(demo, shell)
    cmd = _pass_the_hash(demo, desk)
    remote = _run_psexec(demo, cmd)
    _clear_logs(demo, remote)


def _open_encoded_console(demo: Demo, desk: Desk) -> Engine:
    """R16: a console with an encoded command, started from the desktop."""
    host, at = demo.ws07, clock("09:02:11.250")
    command = f"{_CONSOLE} -NoP -W Hidden -Enc {encode_command(_LOADER)}"
    process, started = start_process(
        host, at, desk.explorer, _CONSOLE, command, session=desk.elevated, folder="C:\\Users\\jdoe\\"
    )
    engine = new_engine(host, process, CLIENT_VERSION)
    open_console(engine, at + milliseconds(300))
    engine_events = start_engine(engine, at + milliseconds(350))
    log_script(engine, at + milliseconds(620), _LOADER)
    demo.tell(at, host, JDOE, "starts a hidden PowerShell with an encoded command in jdoe's session")
    demo.expectations.append(
        Expectation(
            "powershell_encoded_command",
            host,
            "4688 and Sysmon 1 with -Enc and base64 of UTF-16LE; the engine events repeat it",
            tuple(started),
            tuple(engine_events),
        )
    )
    return engine


def _guess_administrator(demo: Demo) -> None:
    """L01: 14 wrong passwords for one account in three minutes."""
    host, start = demo.srv02, clock("09:05:04.118")
    events = [
        logon_failure(
            host,
            start + timedelta(seconds=13 * number, milliseconds=41 * number % 977),
            "Administrator",
            "SRV02",
            Source(demo.ws07.address, 50211 + number, demo.ws07.name),
        )
        for number in range(14)
    ]
    demo.tell(start, demo.ws07, JDOE, "guesses the password of SRV02\\Administrator 14 times in 3 minutes")
    demo.expectations.append(
        Expectation("logon_failure_burst", host, "14 failures of one account from WS07", tuple(events))
    )


def _spray_staff(demo: Demo) -> None:
    """L02: one password each for 12 accounts; the last one is right."""
    host, start = demo.srv02, clock("09:10:20.406")
    targets = (*STAFF, _unknown_member())
    events = [
        logon_failure(
            host,
            start + timedelta(seconds=27 * number, milliseconds=53 * number % 911),
            account.name,
            "CORP",
            Source(demo.ws07.address, 50301 + number, demo.ws07.name),
            is_unknown_user=account is targets[-1],
        )
        for number, account in enumerate(targets)
    ]
    success = start + timedelta(seconds=27 * len(targets))
    source = Source(demo.ws07.address, 50320, demo.ws07.name)
    session, logon = network_logon(host, success, SVC_BACKUP, source, is_ntlm=True, label=HIGH)
    logoff(host, success + timedelta(seconds=9), session, 3)
    demo.tell(start, demo.ws07, JDOE, "tries one password on 12 accounts of SRV02, one of them unknown")
    demo.tell(success, demo.ws07, SVC_BACKUP, "the next account has that password: network logon to SRV02")
    demo.expectations.append(
        Expectation("password_spray", host, "12 accounts, one try each, from WS07", tuple(events), tuple(logon))
    )


def _unknown_member() -> Account:
    """A name the domain does not know."""
    return Account("svc-sql", "CORP", "S-1-0-0")


@dataclass(frozen=True, slots=True)
class _Shell:
    """The remoting session on SRV02."""

    session: Session
    process: Process
    engine: Engine
    client: Engine


def _enter_session(demo: Demo, client: Engine) -> _Shell:
    """Remoting with svc-backup's credentials: the client's witnesses, then the server's."""
    ws07, srv02, at = demo.ws07, demo.srv02, clock("09:18:02.731")
    log_script(client, at, "Enter-PSSession -ComputerName SRV02.corp.example.test -Credential $c")
    open_wsman_session(ws07, at + milliseconds(140), client.process, srv02, CLIENT_VERSION)
    caller = client.process.session
    explicit_credential(ws07, at + milliseconds(190), caller, client.process, SVC_BACKUP, srv02.computer, "HTTP")
    connect(ws07, at + milliseconds(180), client.process, 50341, srv02, 5985)
    # WinRM authenticates each connection, so one session leaves several logons; the last one stays.
    for number in range(3):
        source = Source(ws07.address, 50341 + number)
        begin = at + milliseconds(230 + 310 * number)
        session, logons = network_logon(srv02, begin, SVC_BACKUP, source, label=HIGH)
        demo.relate("password_spray", logons)
        if number < 2:
            logoff(srv02, begin + timedelta(seconds=12), session, 3)
    begin = at + milliseconds(1240)
    parent = srv02.dcom
    command = "C:\\Windows\\system32\\wsmprovhost.exe -Embedding"
    process, _ = start_process(srv02, begin, parent, f"{_SYSTEM32}\\wsmprovhost.exe", command, session=session)
    create_shell(srv02, begin - milliseconds(120), process, ws07.address)
    engine = new_engine(srv02, process, SERVER_VERSION, is_remote=True)
    open_console(engine, begin + milliseconds(200))
    start_engine(engine, begin + milliseconds(410))
    demo.tell(at, ws07, JDOE, "opens a PowerShell remoting session to SRV02 with svc-backup's credentials")
    demo.tell(begin, srv02, SVC_BACKUP, f"wsmprovhost.exe, PID {process.pid}, serves the session")
    return _Shell(session, process, engine, client)


def _look_around(demo: Demo, shell: _Shell) -> None:
    """R05: programs below wsmprovhost.exe; cmdlets and scripts leave 4103 and 4104 only."""
    host, start, folder = demo.srv02, clock("09:19:30.090"), "C:\\Users\\svc-backup\\Documents\\"
    children: list[Event] = []
    related: list[Event] = []
    for number, (name, command) in enumerate(_RECON):
        at = start + timedelta(seconds=19 * number)
        log_script(shell.engine, at - milliseconds(60), command.partition('" ')[0].strip('"') or command)
        child, started = start_process(host, at, shell.process, f"{_SYSTEM32}\\{name}", command, folder=folder)
        children += started
        if name == "net.exe":
            _, grandchild = start_process(
                host,
                at + milliseconds(20),
                child,
                f"{_SYSTEM32}\\net1.exe",
                command.replace('"C:\\Windows\\system32\\net.exe"', "C:\\Windows\\system32\\net1"),
                folder=folder,
            )
            related += grandchild
        end_process(host, at + milliseconds(450), child)
    demo.tell(start, host, SVC_BACKUP, "runs whoami, ipconfig, net group, nltest and systeminfo")
    demo.expectations.append(
        Expectation(
            "remoting_child_process",
            host,
            "5 programs started by wsmprovhost",
            tuple(children),
            tuple(related),
        )
    )
    log_command(
        shell.engine,
        clock("09:22:41.502"),
        "Get-ChildItem",
        {"Path": "D:\\Backup", "Recurse": "True"},
        sequence=31,
    )
    log_script(shell.engine, clock("09:22:41.470"), "Get-ChildItem -Path D:\\Backup -Recurse")
    log_script(shell.engine, clock("09:24:05.613"), _long_script())
    demo.tell(clock("09:24:05.613"), host, SVC_BACKUP, "runs a long inventory script, logged in three parts")


def _long_script() -> str:
    """A script of more than 20,000 characters, so that PowerShell logs it in parts."""
    lines = ["# Synthetic inventory script of the evtxhunt demo. It reads nothing.", "$shares = @("]
    lines += [
        f"    [pscustomobject]@{{ Host = 'SRV{number:02}'; Share = 'dept{number * 37 % 100:02}' }}"
        for number in range(1, 421)
    ]
    lines += [
        ")",
        "$shares | Group-Object -Property Share | Sort-Object -Property Count | Select-Object -First 5",
    ]
    return "\r\n".join(lines)


def _add_account(demo: Demo, shell: _Shell) -> None:
    """A local administrator as a way back, by net.exe below wsmprovhost."""
    host, at = demo.srv02, clock("09:27:13.300")
    folder = "C:\\Users\\svc-backup\\Documents\\"
    children: list[Event] = []
    for offset, arguments in (
        (0, "user helpdesk2 * /add"),
        (9000, "localgroup Administrators helpdesk2 /add"),
    ):
        command = f'"C:\\Windows\\system32\\net.exe" {arguments}'
        child, started = start_process(
            host, at + milliseconds(offset), shell.process, f"{_SYSTEM32}\\net.exe", command, folder=folder
        )
        children += started
        end_process(host, at + milliseconds(offset + 700), child)
    demo.expectations.append(
        Expectation("remoting_child_process", host, "net.exe adds an account and a member", tuple(children))
    )
    account = Account("helpdesk2", "SRV02", f"{_SRV02_SID}-1003")
    create_account(host, at + milliseconds(310), shell.session, account)
    add_administrator(host, at + milliseconds(9310), shell.session, account)
    demo.tell(at, host, SVC_BACKUP, "creates the local account helpdesk2 and makes it an administrator")


def _leave_session(demo: Demo, shell: _Shell) -> None:
    at = clock("09:31:20.015")
    stop_engine(shell.engine, at)
    end_process(demo.srv02, at + milliseconds(80), shell.process)
    logoff(demo.srv02, at + milliseconds(130), shell.session, 3)
    demo.tell(at, demo.srv02, SVC_BACKUP, "leaves the remoting session")


def _pass_the_hash(demo: Demo, desk: Desk) -> Process:
    """L04: a type 9 logon whose network credentials are adm-lee's."""
    host, at = demo.ws07, clock("09:33:10.444")
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
    cmd, started = start_process(host, at + milliseconds(35), tool, f"{_SYSTEM32}\\cmd.exe", "cmd.exe", session=session)
    demo.tell(at, host, JDOE, "starts cmd.exe with adm-lee's stolen hash: new credentials by seclogo")
    demo.expectations.append(
        Expectation(
            "pass_the_hash_seclogo",
            host,
            "4624 type 9 by seclogo, outbound user adm-lee",
            (logon,),
            tuple(started),
        )
    )
    return cmd


def _run_psexec(demo: Demo, cmd: Process) -> Process:
    """M01 and P01: PsExec's service, then a second one that starts a program from a Temp folder.

    The command shell that PsExec opens on SRV02 is the result.
    """
    ws07, host, at = demo.ws07, demo.srv02, clock("09:35:44.207")
    path = "C:\\Users\\jdoe\\AppData\\Local\\Temp\\PsExec64.exe"
    _, client = start_process(ws07, at - timedelta(seconds=2), cmd, path, f"{path} \\\\SRV02 -accepteula cmd.exe")
    demo.relate("pass_the_hash_seclogo", client)
    source = Source(ws07.address, 50388, ws07.name)
    session, _ = network_logon(host, at, ADM_LEE, source, is_ntlm=True, label=HIGH)
    system_process = Process(4, host.sysmon_guid(clock("06:30:00"), 4), "System", "", host.system)
    dropped = create_file(host, at + milliseconds(120), system_process, "C:\\Windows\\PSEXESVC.exe")
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
        host, at + milliseconds(900), service, f"{_SYSTEM32}\\cmd.exe", '"cmd.exe"', session=session
    )
    demo.tell(at, host, ADM_LEE, "PsExec from WS07: the service PSEXESVC is installed and starts cmd.exe")
    demo.expectations.append(
        Expectation(
            "psexec_service",
            host,
            "7045 PSEXESVC",
            (installed,),
            (dropped, running, *service_started, *shell_started),
        )
    )
    image = "%COMSPEC% /C start /b C:\\Windows\\Temp\\wupdsync.exe"
    later = clock("09:38:02.660")
    second = install_service(host, later, "WUpdSync", image, ADM_LEE.sid)
    demo.tell(later, host, ADM_LEE, "installs the service WUpdSync, which starts a program in C:\\Windows\\Temp")
    demo.expectations.append(
        Expectation("suspicious_service", host, "7045 with a command shell and a Temp folder", (second,))
    )
    return shell


def _clear_logs(demo: Demo, shell: Process) -> None:
    """E01: the Security log is cleared a minute and a half after it was archived."""
    host, at = demo.srv02, clock("09:41:37.802")
    session = shell.session
    cleared_by: list[list[Event]] = []
    for offset, log in ((0, "Security"), (6000, "Application")):
        _, started = start_process(
            host,
            at + milliseconds(offset - 90),
            shell,
            f"{_SYSTEM32}\\wevtutil.exe",
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
    demo.tell(at, host, ADM_LEE, "clears the Security log and the Application log of SRV02")
    # The 4688 of the first wevtutil went with the log it cleared.
    (_, first_sysmon), second = cleared_by
    related = (other, first_sysmon, *second)
    demo.expectations.append(
        Expectation("security_log_cleared", host, "1102; beside it 104 and wevtutil", (cleared,), related)
    )
