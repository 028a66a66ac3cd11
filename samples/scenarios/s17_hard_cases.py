"""What makes correlation go wrong: ids that return, clocks that differ, names and addresses in several forms.

SRV02 reboots between two sessions whose logon id and process id are the same, of two users. Two sessions of one user
to SRV03 run at once. WEB01's clock is 90 s ahead. Names are short or full, addresses mapped into IPv6, a 91
has no client address, a member of Remote Management Users has no 4672, one 4624 is missing.
"""

from datetime import timedelta

from samples import shapes
from samples.boots import reboot
from samples.cast import ADM_LEE, ADM_OPS, JDOE
from samples.desks import seat
from samples.logons import group_membership
from samples.powershell import Engine
from samples.remoting import Client, Login, Shell, open_shell
from samples.scenario import milliseconds
from samples.story import Story

TITLE = "Hard cases: reused ids, skewed clocks, names and addresses"
_USERS, _REMOTE_MANAGEMENT_USERS = "S-1-5-32-545", "S-1-5-32-580"


def tell(story: Story) -> None:
    story.host("DC01")
    ops = seat(story, "WS12", ADM_OPS, "08:01:12.441", "09:00:03.118")
    lee = seat(story, "WS07", ADM_LEE, "08:20:12.210", "09:01:41.500")
    _reuse_ids(story, ops, lee)
    _open_two_at_once(story, ops)
    _visit_skewed_host(story, ops)
    _visit_without_rights(story)
    _lose_a_logon(story, lee)


def _reuse_ids(story: Story, ops: Engine, lee: Engine) -> None:
    host = story.host("SRV02")
    host.reuse(logon_id=0x5A3C21, pid=4660)
    at = story.clock("09:10:02.250")
    before = open_shell(story, at, Client.of(ops), host, Login(ADM_OPS), logon_count=1, text="before the reboot")
    before.run(at + timedelta(seconds=33), "whoami.exe")
    story.tell(at, story.host("WS12"), ADM_OPS, "opens a session to SRV02")
    down = story.clock("09:30:00.500")
    before.truth.end, before.truth.end_reason = down, "reboot"
    before.expect_programs(is_benign=True)
    reboot(host, down)
    story.tell(down, host, host.account, "SRV02 reboots; the session ends without 403 or 4634")
    host.reuse(logon_id=0x5A3C21, pid=4660)
    at = story.clock("09:52:40.330")
    after = open_shell(
        story, at, Client.of(lee), host, Login(ADM_LEE), logon_count=1, text="after the reboot, the same ids"
    )
    after.run(at + timedelta(seconds=21), "ipconfig.exe")
    after.close(at + timedelta(minutes=5))
    after.expect_programs(is_benign=True)
    story.tell(at, story.host("WS07"), ADM_LEE, "opens a session to SRV02 that gets the same logon id and process id")


def _open_two_at_once(story: Story, ops: Engine) -> None:
    """By short name and by full name, half a second apart, one user, one client."""
    host, at = story.host("SRV03"), story.clock("10:15:20.100")
    shells: list[Shell] = []
    for number, name in enumerate(("srv03", "SRV03.corp.example.test")):
        begin = at + milliseconds(520 * number)
        shell = open_shell(
            story,
            begin,
            Client.of(ops),
            host,
            Login(ADM_OPS),
            name=name,
            shown_address=f"::ffff:{ops.host.address}",
            text=f"one of two at once, by {name}",
        )
        shell.script(begin + timedelta(seconds=9), f"'session {number + 1}'")
        shell.run(begin + timedelta(seconds=10), "hostname.exe", f"# {number + 1}")
        shells.append(shell)
    story.tell(at, story.host("WS12"), ADM_OPS, "opens two sessions to SRV03 at once")
    for number, shell in enumerate(shells):
        shell.close(at + timedelta(minutes=4 + 3 * number))
        shell.expect_programs(is_benign=True)


def _visit_skewed_host(story: Story, ops: Engine) -> None:
    host = story.host("WEB01", skew=timedelta(seconds=90))
    at = story.clock("11:20:31.640")
    shell = open_shell(
        story,
        at,
        Client.of(ops),
        host,
        Login(ADM_OPS),
        has_client_ip=False,
        has_special=False,
        text="to a host whose clock is 90 s ahead; no 4672, no client address in 91",
    )
    shell.run(at + timedelta(seconds=40), "w32tm.exe", "/query /status")
    shell.close(at + timedelta(seconds=75))
    shell.expect_programs(is_benign=True)
    story.tell(at, story.host("WS12"), ADM_OPS, "opens a session to WEB01, whose clock is 90 s ahead")


def _visit_without_rights(story: Story) -> None:
    """Remote Management Users may connect without being administrators: no 4672, no elevated token."""
    host = story.host("SRV03")
    console = seat(story, "WS07", JDOE, "12:40:31.207", "12:59:03.118")
    at = story.clock("13:00:12.730")
    shell = open_shell(story, at, Client.of(console), host, Login(JDOE, is_admin=False), text="by no administrator")
    groups = group_membership(host, at + milliseconds(711), shell.logon, ("S-1-1-0", _USERS, _REMOTE_MANAGEMENT_USERS))
    shell.truth.witness("group_membership", groups)
    shell.close(at + timedelta(minutes=2))
    witnesses = shell.truth.witnesses
    text = "no 4672, not elevated, member of Remote Management Users"
    story.expect("remoting_by_non_administrator", host, text, witnesses["logon"][-1:], [*witnesses["logon"], groups])
    story.tell(at, story.host("WS07"), JDOE, "opens a session to SRV03 without being an administrator there")


def _lose_a_logon(story: Story, lee: Engine) -> None:
    """R2S05 logs no successful logons: the session is known from WinRM, PowerShell and process events only."""
    host = story.host("R2S05")
    host.mute(shapes.LOGON_V1, shapes.SPECIAL_LOGON, shapes.LOGOFF)
    story.gap(host, shapes.SECURITY_LOG, "not_logged", "logons are not audited")
    at = story.clock("14:05:12.300")
    shell = open_shell(story, at, Client.of(lee), host, Login(ADM_LEE), text="without a 4624")
    shell.run(at + timedelta(seconds=30), "ipconfig.exe")
    shell.close(at + timedelta(minutes=3))
    shell.expect_programs(is_benign=True)
    story.tell(at, story.host("WS07"), ADM_LEE, "opens a session to R2S05")
