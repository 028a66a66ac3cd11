"""The ordinary morning around the demo's attack: staff, services, an administrator's remoting."""

import random
from datetime import datetime, timedelta

from samples import shapes
from samples.demo_cast import (
    ADM_OPS,
    CLIENT_VERSION,
    JDOE,
    SERVER_VERSION,
    STAFF,
    Demo,
    Desk,
    NearMiss,
    clock,
)
from samples.logons import (
    Source,
    interactive_logon,
    logoff,
    logon_failure,
    network_logon,
    service_logon,
    special_logon,
)
from samples.powershell import (
    create_shell,
    log_script,
    new_engine,
    open_console,
    start_engine,
    stop_engine,
)
from samples.processes import change_service, end_process, start_process
from samples.scenario import HIGH, MEDIUM, Event, Host, milliseconds

_SYSTEM32 = "C:\\Windows\\System32"
_BEGIN = clock("07:58:00")
_MANAGEMENT_ADDRESS = "192.0.2.5"
_SERVICES = (
    ("Windows Update", "wuauserv"),
    ("Windows Modules Installer", "TrustedInstaller"),
    ("Background Intelligent Transfer Service", "BITS"),
    ("Software Protection", "sppsvc"),
    ("WinHTTP Web Proxy Auto-Discovery Service", "WinHttpAutoProxySvc"),
)
_TASKS = (
    ("taskhostw.exe", "taskhostw.exe Install $(Arg0)"),
    ("svchost.exe", "C:\\Windows\\system32\\svchost.exe -k wsappx -p -s ClipSVC"),
    ("MpCmdRun.exe", '"C:\\Program Files\\Windows Defender\\MpCmdRun.exe" SignaturesUpdateService'),
    ("usoclient.exe", "C:\\Windows\\system32\\usoclient.exe StartScan"),
    ("dllhost.exe", "C:\\Windows\\system32\\DllHost.exe /Processid:{AB8902B4-09CA-4BB6-B78D-A8F59079A8D5}"),
)
_PROGRAMS = (
    "C:\\Program Files\\Microsoft Office\\root\\Office16\\OUTLOOK.EXE",
    "C:\\Program Files\\Microsoft Office\\root\\Office16\\EXCEL.EXE",
    "C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe",
    "C:\\Windows\\System32\\notepad.exe",
)


class _Dice:
    """Repeatable chance. Only Random.random() is promised to stay the same in later Pythons."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, limit: int) -> int:
        return int(self._random.random() * limit)

    def moments(self, begin: datetime, end: datetime, mean_seconds: float) -> list[datetime]:
        """Times from `begin` to `end` with gaps of half to one and a half times the mean."""
        moments: list[datetime] = []
        at = begin
        while True:
            at += timedelta(microseconds=int(mean_seconds * (0.5 + self._random.random()) * 1_000_000))
            if at >= end:
                return moments
            moments.append(at)


def tell_morning(demo: Demo, desk: Desk) -> None:
    _open_desk(demo, desk)
    _serve_files(demo, _Dice(7))
    _run_services(demo.srv02, _Dice(11), 340)
    _run_services(demo.ws07, _Dice(13), 600)
    _use_programs(demo, desk, _Dice(17))
    _mistype(demo)
    _administer(demo)
    _inventory(demo)
    _administer_old_host(demo)


def _open_desk(demo: Demo, desk: Desk) -> None:
    """jdoe logs on at WS07: two linked sessions, since jdoe is an administrator there."""
    host, at = demo.ws07, desk.session.start
    interactive_logon(host, at, desk.elevated, desk.session.logon_id)
    interactive_logon(host, at + milliseconds(0.1), desk.session, desk.elevated.logon_id)
    special_logon(host, at + milliseconds(0.3), desk.elevated)
    demo.tell(at, host, JDOE, "logs on at WS07")


def _serve_files(demo: Demo, dice: _Dice) -> None:
    """Staff use the shares of SRV02: short Kerberos logons, of people and of their computers."""
    for at in dice.moments(_BEGIN, clock("10:06:00"), 62):
        number = dice.below(len(STAFF))
        source = Source(f"192.0.2.{40 + number}", 49200 + dice.below(12000))
        session, _ = network_logon(demo.srv02, at, STAFF[number], source, label=MEDIUM)
        logoff(demo.srv02, at + timedelta(seconds=10 + dice.below(40)), session, 3)


def _run_services(host: Host, dice: _Dice, mean_seconds: float) -> None:
    """Service logons, scheduled programs of SYSTEM, and services that come and go."""
    for at in dice.moments(_BEGIN, clock("10:05:00"), mean_seconds):
        service_logon(host, at)
        name, command = _TASKS[dice.below(len(_TASKS))]
        process, _ = start_process(host, at + timedelta(seconds=3), host.scheduler, f"{_SYSTEM32}\\{name}", command)
        end_process(host, at + timedelta(seconds=5 + dice.below(90)), process)
        title, short = _SERVICES[dice.below(len(_SERVICES))]
        change_service(host, at + timedelta(seconds=1), title, short, is_running=True)
        change_service(host, at + timedelta(seconds=120 + dice.below(60)), title, short, is_running=False)


def _use_programs(demo: Demo, desk: Desk, dice: _Dice) -> None:
    for at in dice.moments(clock("08:03:10"), clock("10:04:00"), 520):
        image = _PROGRAMS[dice.below(len(_PROGRAMS))]
        process, _ = start_process(demo.ws07, at, desk.explorer, image, f'"{image}"', folder="C:\\Users\\jdoe\\")
        end_process(demo.ws07, at + timedelta(seconds=60 + dice.below(400)), process)


def _mistype(demo: Demo) -> None:
    """Three wrong passwords in a row, then the right one: below every threshold."""
    at = clock("08:31:12.330")
    source = Source("192.0.2.43", 51877, "WS43")
    user = STAFF[3]
    events = [
        logon_failure(demo.srv02, at + timedelta(seconds=6 * number), user.name, "CORP", source) for number in range(3)
    ]
    session, _ = network_logon(demo.srv02, at + timedelta(seconds=25), user, source, is_ntlm=True, label=MEDIUM)
    logoff(demo.srv02, at + timedelta(seconds=60), session, 3)
    demo.near_misses.append(
        NearMiss("logon_failure_burst", demo.srv02, "three typing errors of one user", tuple(events))
    )


def _administer(demo: Demo) -> None:
    """An administrator's ordinary remoting from the management host: cmdlets only, no child process."""
    host, at = demo.srv02, clock("08:25:40.120")
    session, _ = network_logon(host, at, ADM_OPS, Source(_MANAGEMENT_ADDRESS, 52110), label=HIGH)
    begin = at + milliseconds(900)
    process, started = start_process(
        host,
        begin,
        host.dcom,
        f"{_SYSTEM32}\\wsmprovhost.exe",
        "C:\\Windows\\system32\\wsmprovhost.exe -Embedding",
        session=session,
    )
    create_shell(host, begin - milliseconds(150), process, _MANAGEMENT_ADDRESS)
    engine = new_engine(host, process, SERVER_VERSION, is_remote=True)
    open_console(engine, begin + milliseconds(180))
    start_engine(engine, begin + milliseconds(390))
    script = log_script(engine, begin + timedelta(seconds=4), "Get-Service -Name LanmanServer, W32Time")
    end = begin + timedelta(seconds=95)
    stop_engine(engine, end)
    end_process(host, end + milliseconds(70), process)
    logoff(host, end + milliseconds(110), session, 3)
    demo.tell(at, host, ADM_OPS, "ordinary remoting from the management host 192.0.2.5")
    demo.near_misses.append(
        NearMiss(
            "remoting_child_process",
            host,
            "an administrator's session without child processes",
            (*started, *script),
        )
    )


def _inventory(demo: Demo) -> None:
    """A scheduled script on WS07: PowerShell with arguments, none of them encoded."""
    host, at = demo.ws07, clock("08:40:00.510")
    image = f"{_SYSTEM32}\\WindowsPowerShell\\v1.0\\powershell.exe"
    command = 'powershell.exe -NoProfile -ExecutionPolicy Bypass -File "C:\\Program Files\\Corp\\inventory.ps1"'
    process, started = start_process(host, at, host.scheduler, image, command)
    engine = new_engine(host, process, CLIENT_VERSION)
    console: list[Event] = open_console(engine, at + milliseconds(280))
    start_engine(engine, at + milliseconds(350))
    stop_engine(engine, at + timedelta(seconds=11))
    end_process(host, at + timedelta(seconds=12), process)
    demo.near_misses.append(
        NearMiss(
            "powershell_encoded_command",
            host,
            "a scheduled script with -ExecutionPolicy and -File",
            (*started, *console),
        )
    )


def _administer_old_host(demo: Demo) -> None:
    """OLD01 still runs Windows Server 2008 R2: 169 and 193 with one activity id, by NETWORK SERVICE."""
    host = demo.old01
    for text in ("08:15:02.250", "09:00:03.906", "09:45:02.781"):
        at, activity = clock(text), host.new_guid()
        for number, (shape, fields) in enumerate(
            (
                (
                    shapes.WINRM_AUTHENTICATED,
                    {"username": ADM_OPS.full_name, "authenticationMechanism": "Kerberos"},
                ),
                (shapes.WINRM_AUTHORIZED, {}),
            )
        ):
            host.log(
                shape,
                at + milliseconds(number),
                by=host.winrm,
                fields={**fields},
                activity_id=activity,
                user_sid="S-1-5-20",
            )
    demo.tell(clock("08:15:02.250"), host, ADM_OPS, "checks the old server by WinRM every 45 minutes")
