"""The ordinary life of a small domain: people, shares, services, tasks, tickets, and an administrator."""

import random
from datetime import datetime, timedelta

from samples import shapes
from samples.cast import ADM_OPS, STAFF
from samples.desks import Desk, open_powershell
from samples.kerberos import grant_tgt, grant_ticket, refuse_preauth
from samples.logons import (
    Source,
    logoff,
    logon_failure,
    network_logon,
    service_logon,
    subject,
)
from samples.processes import change_service, connect, end_process, start_process
from samples.remoting import SYSTEM32, Client, Login, open_shell
from samples.scenario import HIGH, MEDIUM, Account, Event, Host, milliseconds
from samples.shape import FieldInput, Shape
from samples.shares import open_share
from samples.story import Story

_SERVICES = (
    ("Windows Update", "wuauserv"),
    ("Windows Modules Installer", "TrustedInstaller"),
    ("Background Intelligent Transfer Service", "BITS"),
    ("Software Protection", "sppsvc"),
    ("WinHTTP Web Proxy Auto-Discovery Service", "WinHttpAutoProxySvc"),
)
_SYSTEM_PROGRAMS = (
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
_TASKS = (
    "\\Microsoft\\Windows\\Defrag\\ScheduledDefrag",
    "\\Microsoft\\Windows\\UpdateOrchestrator\\Schedule Scan",
    "\\Microsoft\\Windows\\Windows Defender\\Windows Defender Scheduled Scan",
)
_STAFF_NETWORK = "192.0.2"


class Dice:
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


def serve_files(host: Host, begin: datetime, end: datetime, dice: Dice, mean_seconds: float) -> None:
    """Staff whose own computers are in no log use the shares of `host`: short Kerberos logons."""
    for at in dice.moments(begin, end, mean_seconds):
        number = dice.below(len(STAFF))
        source = Source(f"{_STAFF_NETWORK}.{40 + number}", 49200 + dice.below(12000))
        session, _ = network_logon(host, at, STAFF[number], source, label=MEDIUM)
        logoff(host, at + timedelta(seconds=10 + dice.below(40)), session, 3)


def run_services(host: Host, begin: datetime, end: datetime, dice: Dice, mean_seconds: float) -> None:
    """Service logons, scheduled programs of SYSTEM, and services that come and go."""
    for at in dice.moments(begin, end, mean_seconds):
        service_logon(host, at)
        name, command = _SYSTEM_PROGRAMS[dice.below(len(_SYSTEM_PROGRAMS))]
        process, _ = start_process(host, at + timedelta(seconds=3), host.scheduler, f"{SYSTEM32}\\{name}", command)
        end_process(host, at + timedelta(seconds=5 + dice.below(90)), process)
        title, short = _SERVICES[dice.below(len(_SERVICES))]
        change_service(host, at + timedelta(seconds=1), title, short, is_running=True)
        change_service(host, at + timedelta(seconds=120 + dice.below(60)), title, short, is_running=False)


def use_programs(desk: Desk, begin: datetime, end: datetime, dice: Dice, mean_seconds: float) -> None:
    """The desktop's user starts and ends programs."""
    host, folder = desk.host, f"C:\\Users\\{desk.session.account.name}\\"
    for at in dice.moments(begin, end, mean_seconds):
        image = _PROGRAMS[dice.below(len(_PROGRAMS))]
        process, _ = start_process(host, at, desk.explorer, image, f'"{image}"', folder=folder)
        end_process(host, at + timedelta(seconds=60 + dice.below(400)), process)


def mistype(host: Host, at: datetime, user: Account, source: Source) -> list[Event]:
    """Three wrong passwords in a row, then the right one: below every threshold. The three failures."""
    events = [
        logon_failure(host, at + timedelta(seconds=6 * number), user.name, user.domain, source) for number in range(3)
    ]
    session, _ = network_logon(host, at + timedelta(seconds=25), user, source, package="NTLM", label=MEDIUM)
    logoff(host, at + timedelta(seconds=60), session, 3)
    return events


def arrive(story: Story, desk: Desk) -> None:
    """What the domain controller sees of a logon: a TGT, tickets, and the client reading group policy."""
    dc, host, at = story.controller, desk.host, desk.session.start
    assert dc is not None
    user = desk.session.account
    grant_tgt(dc, at - milliseconds(300), user, host.address, host.new_port())
    grant_ticket(dc, at - milliseconds(240), user, host.account, host.address, host.new_port())
    for number, account in enumerate((user, host.account)):
        visit_controller(dc, host, at + timedelta(seconds=4 + number), account)


def visit_controller(dc: Host, host: Host, at: datetime, account: Account) -> None:
    """LDAP and SYSVOL of the domain controller. It logs everyone with %%1840: it is trusted for delegation."""
    port = host.new_port()
    guid, _ = grant_ticket(dc, at, account, dc.account, host.address, port)
    session, _ = network_logon(
        dc,
        at + milliseconds(30),
        account,
        Source(host.address, port),
        label=MEDIUM,
        logon_guid=guid,
        impersonation="%%1840",
    )
    dc.log(
        shapes.SHARE_ACCESSED,
        at + milliseconds(60),
        by=dc.kernel,
        fields=subject(account, session.logon_id)
        | {
            "ObjectType": "File",
            "IpAddress": host.address,
            "IpPort": str(port),
            "ShareName": "\\\\*\\SYSVOL",
            "ShareLocalPath": "\\??\\C:\\Windows\\SYSVOL\\sysvol",
            "AccessMask": 1,
            "AccessList": "%%4416\r\n\t\t\t\t",
        },
    )
    logoff(dc, at + timedelta(seconds=12), session, 3)


def leave(desk: Desk, at: datetime) -> None:
    """4647, asked for by the user, and 4634 of both halves of the session."""
    for session in {desk.session.logon_id: desk.session, desk.elevated.logon_id: desk.elevated}.values():
        logoff(desk.host, at + milliseconds(400), session, 2)
    desk.host.log(
        shapes.USER_LOGOFF,
        at,
        by=desk.host.lsass,
        fields={
            "TargetUserSid": desk.session.account.sid,
            "TargetUserName": desk.session.account.name,
            "TargetDomainName": desk.session.account.domain,
            "TargetLogonId": desk.session.logon_id,
        },
    )


def run_task(host: Host, at: datetime, number: int) -> None:
    """A scheduled task of SYSTEM as its own log tells it: started, process, action, finished."""
    name = _TASKS[number % len(_TASKS)]
    instance = host.new_guid()
    process, _ = start_process(
        host, at + milliseconds(40), host.scheduler, f"{SYSTEM32}\\taskhostw.exe", "taskhostw.exe"
    )
    action = "%windir%\\system32\\taskhostw.exe"
    task: dict[str, FieldInput] = {"TaskName": name}
    by_engine: dict[str, FieldInput] = {"ActionName": action, "TaskInstanceId": instance, "EnginePID": process.pid}
    by_user: dict[str, FieldInput] = {"UserContext": "NT AUTHORITY\\SYSTEM", "InstanceId": instance}
    steps: tuple[tuple[int, Shape, dict[str, FieldInput]], ...] = (
        (0, shapes.TASK_STARTED, task | by_user),
        (30, shapes.TASK_ACTION_STARTED, task | by_engine),
        (45, shapes.TASK_PROCESS_CREATED, task | {"Path": action, "ProcessID": process.pid, "Priority": 16384}),
        (9000, shapes.TASK_ACTION_FINISHED, task | by_engine | {"ResultCode": 0}),
        (9010, shapes.TASK_FINISHED, task | by_user),
    )
    for offset, shape, fields in steps:
        host.log(shape, at + milliseconds(offset), by=host.scheduler, fields=fields, user_sid="S-1-5-18")
    end_process(host, at + timedelta(seconds=9), process)


def update_task(host: Host, at: datetime) -> None:
    """An updater registers its task anew: 4702, and 140 of the task's log."""
    name = "\\Contoso Updater"
    xml = '<?xml version="1.0" encoding="UTF-16"?>\r\n<Task><Actions><Exec><Command>'
    xml += "C:\\Program Files\\Contoso\\update.exe</Command></Exec></Actions></Task>"
    system = Account(host.account.name, host.account.domain, "S-1-5-18")
    host.log(
        shapes.TASK_CHANGED,
        at,
        by=host.lsass,
        fields=subject(system, host.system.logon_id) | {"TaskName": name, "TaskContentNew": xml},
    )
    host.log(
        shapes.TASK_REGISTRATION_UPDATED,
        at + milliseconds(2),
        by=host.scheduler,
        fields={"TaskName": name, "UserName": system.full_name},
        user_sid="S-1-5-18",
    )


def use_local_wsman(host: Host, at: datetime) -> None:
    """Server Manager and its like talk to the host's own WinRM on 47001: WinRM 6, no session to anyone."""
    host.log(
        shapes.WSMAN_SESSION,
        at,
        by=host.scheduler,
        fields={"connection": "localhost:47001/WSMan?MSP=7a83d074-bb86-4e52-aa3e-6cc73cc066c8"},
        activity_id=host.new_guid(),
        user_sid="S-1-5-18",
    )


def administer(story: Story, desk: Desk, target: Host, at: datetime) -> None:
    """An administrator's daily look at a server: remoting by name, cmdlets only."""
    console = open_powershell(desk, at)
    begin = at + timedelta(seconds=30)
    shell = open_shell(story, begin, Client.of(console), target, Login(ADM_OPS), text="the daily look at the server")
    shell.script(begin + timedelta(seconds=6), "Get-Volume; Get-Service -Name LanmanServer")
    shell.command(begin + timedelta(seconds=6.2), "Get-Service", {"Name": "LanmanServer"})
    shell.close(begin + timedelta(minutes=3))
    end_process(desk.host, begin + timedelta(minutes=4), console.process)


def live_a_workday(story: Story, desks: tuple[Desk, ...], server: Host, dice: Dice) -> None:
    """From the arrivals to the evening: programs, the web, shares, an administrator's remoting."""
    for desk in desks:
        host, begin = desk.host, desk.session.start
        end = begin + timedelta(hours=8, minutes=20 + dice.below(60))
        arrive(story, desk)
        use_programs(desk, begin + timedelta(minutes=2), end - timedelta(minutes=12), dice, 2400)
        for at in dice.moments(begin + timedelta(minutes=5), end, 3000):
            open_share(story, at, host, server, desk.session.account, files=("plan.docx",), seconds=30 + dice.below(60))
        for at in dice.moments(begin + timedelta(minutes=3), end, 3600):
            connect(host, at, desk.explorer, host.new_port(), server, 445)
        leave(desk, end)
    admin = desks[-1]
    administer(story, admin, server, admin.session.start + timedelta(hours=1, seconds=dice.below(900)))


def keep_running(story: Story, hosts: tuple[Host, ...], midnight: datetime, dice: Dice) -> None:
    """What goes on around the clock: machine tickets and policy, services, tasks."""
    dc = story.controller
    assert dc is not None
    # The first hours of a Monday belong to the week before: see samples.bulk.
    begin, end = midnight + timedelta(hours=1), midnight + timedelta(hours=23)
    for host in hosts:
        for at in dice.moments(begin, end, 14_000):
            if host is not dc:
                grant_tgt(dc, at, host.account, host.address, host.new_port())
                visit_controller(dc, host, at + milliseconds(90), host.account)
        run_services(host, begin, end, dice, 7200)
        for number, at in enumerate(
            dice.moments(midnight + timedelta(hours=1), midnight + timedelta(hours=23), 16_000)
        ):
            run_task(host, at, number)
        update_task(host, midnight + timedelta(hours=4, seconds=dice.below(3000)))
        use_local_wsman(host, midnight + timedelta(hours=5, seconds=dice.below(3000)))
    for at in dice.moments(begin, end, 15_000):
        session, _ = network_logon(dc, at, dc.account, Source("::1", dc.new_port()), label=HIGH, impersonation="%%1840")
        logoff(dc, at + timedelta(seconds=8), session, 3)
    # One wrong password and the right one after it.
    at, number = midnight + timedelta(hours=8, seconds=dice.below(1800)), dice.below(len(STAFF))
    refuse_preauth(dc, at, STAFF[number], f"{_STAFF_NETWORK}.{40 + number}", 50100 + dice.below(900))
