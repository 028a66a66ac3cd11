"""The era of Windows 7 and PowerShell 2.0: OLD02 (Windows 7) to OLD01 (Server 2008 R2), WS12 to R2S05 (2012 R2).

No 91 on OLD01: authentication is 169 and 193, the session lies between CreateShell and DeleteShell (81, 82, 134),
400 has no HostApplication, 4688 no command line and no target. R2S05 has both 91 (without client address)
and the old events. As the contrast a PowerShell 2.0 engine on today's WS07, where it is a downgrade.
"""

from datetime import timedelta

from samples import shapes
from samples.cast import ADM_OPS, JDOE
from samples.desks import CONSOLE, open_powershell, seat, sit_down
from samples.powershell import new_engine, start_engine, stop_engine
from samples.processes import end_process, start_process
from samples.remoting import Client, Login, open_shell
from samples.scenario import milliseconds
from samples.story import Story

TITLE = "Remoting of the Windows 7 and PowerShell 2.0 era"


def tell(story: Story) -> None:
    story.host("DC01")
    for name in ("OLD01", "OLD02", "R2S05"):
        story.host(name).mute(shapes.SYSMON_LOG)
        story.gap(story.host(name), shapes.SYSMON_LOG, "not_logged", "Sysmon is not installed")
    for name in ("OLD01", "OLD02"):
        story.gap(story.host(name), shapes.POWERSHELL_LOG, "not_logged", "PowerShell 2.0 can log no code")
        story.gap(story.host(name), shapes.SECURITY_LOG, "no_command_line", "4688 of Windows 7 has no command line")
    _visit_2008_r2(story)
    _visit_2012_r2(story)
    _downgrade(story)


def _visit_2008_r2(story: Story) -> None:
    old01, old02 = story.host("OLD01"), story.host("OLD02")
    desk = sit_down(old02, story.clock("08:11:03.250"), ADM_OPS)
    story.tell(desk.session.start, old02, ADM_OPS, "logs on at OLD02")
    console = open_powershell(desk, story.clock("09:30:12.406"))
    at = story.clock("09:31:02.218")
    shell = open_shell(
        story, at, Client.of(console), old01, Login(ADM_OPS), text="Windows 7 to Server 2008 R2, Kerberos"
    )
    story.tell(at, old02, ADM_OPS, "opens a session to OLD01: 169, 193, 81, 82 and 134, but no 91")
    shell.run(at + timedelta(seconds=30), "whoami.exe", "/groups")
    shell.run(at + timedelta(seconds=55), "ipconfig.exe", "/all")
    shell.close(at + timedelta(minutes=9))
    shell.expect_programs(is_benign=True)
    engine_start = shell.truth.witnesses["engine_start"]
    story.near_miss("powershell_downgrade", old01, "2.0 is this host's own PowerShell", engine_start)
    kerberos = shell.truth.witnesses["winrm_authentication"]
    story.near_miss("winrm_weak_authentication", old01, "169 with Kerberos", kerberos)


def _visit_2012_r2(story: Story) -> None:
    r2s05 = story.host("R2S05")
    console = seat(story, "WS12", ADM_OPS, "08:07:51.330", "11:02:14.100")
    at = story.clock("11:02:51.640")
    login = Login(ADM_OPS, "NTLM", is_explicit=True)
    shell = open_shell(story, at, Client.of(console), r2s05, login, name=r2s05.address, text="2012 R2 by address, NTLM")
    story.tell(at, story.host("WS12"), ADM_OPS, "opens a session to the address of R2S05")
    shell.run(at + timedelta(seconds=22), "systeminfo.exe")
    shell.close(at + timedelta(minutes=3))
    shell.expect_programs(is_benign=True)
    seen = shell.truth.witnesses["winrm_authentication"]
    weak = [event for event in seen if event.shape is shapes.WINRM_AUTHENTICATED]
    story.expect("winrm_weak_authentication", r2s05, "169 with NTLM", weak, seen, is_benign=True)
    witnesses = shell.truth.witnesses
    story.expect(
        "ntlm_remoting_between_domain_hosts",
        r2s05,
        "a domain account by NTLM to a member of the domain",
        witnesses["logon"][:1],
        [*witnesses["logon"], *witnesses["shell"], *seen],
        is_benign=True,
    )


def _downgrade(story: Story) -> None:
    """`powershell -Version 2` on Windows 10: the old engine logs no code and knows no AMSI."""
    ws07 = story.host("WS07")
    desk = sit_down(ws07, story.clock("08:02:31.207"), JDOE)
    story.tell(desk.session.start, ws07, JDOE, "logs on at WS07")
    open_powershell(desk, story.clock("13:10:02.000"))
    at = story.clock("13:14:20.480")
    process, started = start_process(
        ws07, at, desk.explorer, CONSOLE, f'"{CONSOLE}" -Version 2', session=desk.session, folder="C:\\Users\\jdoe\\"
    )
    engine = new_engine(ws07, process, "2.0")
    engine_events = start_engine(engine, at + milliseconds(330))
    stopped = stop_engine(engine, at + timedelta(minutes=4))
    end_process(ws07, at + timedelta(minutes=4, seconds=0.1), process)
    story.tell(at, ws07, JDOE, "starts PowerShell 2.0 on a host that has 5.1")
    story.expect(
        "powershell_downgrade", ws07, "400 with engine 2.0", engine_events[-1:], [*engine_events, stopped, *started]
    )
