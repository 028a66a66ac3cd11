"""Three hops and a change of account: WS07, SRV02, SRV03, DC01.

jdoe's console opens a session on SRV02 with svc-backup's password. A script there holds the password of
adm-lee: from SRV02 Invoke-Command goes on to SRV03 as adm-lee, and from SRV03, with the same credentials typed
once more, to the domain controller. Each hop leaves a 4648 inside the session before it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from samples.cast import ADM_LEE, JDOE, SVC_BACKUP
from samples.desks import open_powershell, sit_down
from samples.powershell import Engine, log_script
from samples.remoting import Client, Login, Shell, open_shell
from samples.scenario import Account, Event, Host, milliseconds
from samples.story import Story

TITLE = "Three hops with a change of account"


@dataclass(frozen=True, slots=True)
class Chain:
    """The three sessions in their order, and the events of the programs that ran in them."""

    shells: tuple[Shell, Shell, Shell]
    programs: dict[str, list[Event]]


def tell(story: Story) -> None:
    story.host("DC01")
    ws07 = story.host("WS07")
    desk = sit_down(ws07, story.clock("08:02:31.207"), JDOE)
    story.tell(desk.session.start, ws07, JDOE, "logs on at WS07")
    console = open_powershell(desk, story.clock("13:40:10.250"))
    chain = walk_chain(story, console, story.clock("13:41:02.731"))
    for host, events in chain.programs.items():
        story.expect("remoting_child_process", story.host(host), f"programs of the session on {host}", events)
    story.expect("reconnaissance_burst", story.host("SRV02"), "five programs in a row", chain.programs["SRV02"])
    leave_chain(story, chain, story.clock("13:58:20.015"))


def walk_chain(story: Story, console: Engine, at: datetime) -> Chain:
    """The three sessions one from within the other; each hop follows some minutes after the one before."""
    ws07, srv02, srv03, dc01 = console.host, story.host("SRV02"), story.host("SRV03"), story.host("DC01")
    log_script(console, at - milliseconds(60), f"Enter-PSSession -ComputerName {srv02.computer} -Credential $c")
    login = Login(SVC_BACKUP, is_explicit=True)
    first = open_shell(story, at, Client.of(console), srv02, login, text="jdoe's console, svc-backup's password")
    story.tell(at, ws07, JDOE, "opens a PowerShell remoting session to SRV02 with svc-backup's password")
    programs = {"SRV02": _look_around(first, at + timedelta(seconds=87))}
    story.tell(at + timedelta(seconds=87), srv02, SVC_BACKUP, "runs whoami, ipconfig, net group, nltest and systeminfo")
    second = _hop(story, first, srv03, at + timedelta(minutes=4, seconds=11), "Get-Content D:\\Backup\\jobs.xml")
    _, started = second.run(at + timedelta(minutes=4, seconds=50), "whoami.exe", "/groups")
    programs["SRV03"] = started
    second.script(at + timedelta(minutes=5, seconds=20), "Get-ChildItem -Path E:\\Data -Filter *.bak")
    second.command(at + timedelta(minutes=5, seconds=20.1), "Get-ChildItem", {"Path": "E:\\Data", "Filter": "*.bak"})
    third = _hop(story, second, dc01, at + timedelta(minutes=8, seconds=2), "Get-ADDomainController -Discover")
    _, started = third.run(at + timedelta(minutes=8, seconds=44), "nltest.exe", "/dclist:corp")
    programs["DC01"] = started
    third.command(at + timedelta(minutes=9), "Get-ADGroupMember", {"Identity": "Domain Admins"})
    return Chain((first, second, third), programs)


def leave_chain(story: Story, chain: Chain, at: datetime) -> None:
    """The sessions end from the innermost one outwards, as Exit-PSSession closes what it holds."""
    first, second, third = chain.shells
    for number, shell in enumerate((third, second, first)):
        shell.close(at + milliseconds(400 * number))
    story.tell(at + milliseconds(800), first.host, SVC_BACKUP, "all sessions are closed, from DC01 back to WS07")


def _look_around(shell: Shell, start: datetime) -> list[Event]:
    """Five programs below wsmprovhost.exe; each script block is the line that was typed."""
    events: list[Event] = []
    for number, (program, arguments) in enumerate(RECON):
        at = start + timedelta(seconds=19 * number)
        shell.script(at - milliseconds(60), f"{program.removesuffix('.exe')} {arguments}".strip())
        _, started = shell.run(at, program, arguments)
        events += started
    return events


RECON = (
    ("whoami.exe", "/all"),
    ("ipconfig.exe", "/all"),
    ("net.exe", 'group "Domain Admins" /domain'),
    ("nltest.exe", "/domain_trusts"),
    ("systeminfo.exe", ""),
)


def _hop(story: Story, shell: Shell, target: Host, at: datetime, code: str) -> Shell:
    """Credentials inside the session: Invoke-Command from the remoting process to the next host as adm-lee."""
    line = f"Invoke-Command -ComputerName {target.computer} -Credential $adm -ScriptBlock {{ {code} }}"
    scripts = shell.script(at - milliseconds(90), line)
    login = Login(ADM_LEE, is_explicit=True)
    following = open_shell(story, at, shell.as_client, target, login, text="from inside the session before it")
    following.script(at + timedelta(seconds=4), code)
    witnesses = following.truth.witnesses
    evidence = [*scripts, *_first(witnesses, "explicit_credential", "connection", "client_session", "logon", "shell")]
    story.tell(at, shell.host, shell.logon.account, f"goes on to {target.name} with adm-lee's password")
    story.hop(
        "explicit_credentials",
        at,
        shell.truth,
        target,
        f"Invoke-Command with adm-lee's credentials inside the session on {shell.host.name}",
        evidence,
        next_user=ADM_LEE,
        outbound=following.truth,
    )
    _expect_hop(story, shell.host, evidence, shell.logon.account)
    return following


def _first(witnesses: dict[str, list[Event]], *roles: str) -> Iterable[Event]:
    return [witnesses[role][0] for role in roles]


def _expect_hop(story: Story, host: Host, evidence: list[Event], user: Account) -> None:
    explicit = [event for event in evidence if event.shape.event_id == 4648]
    text = f"4648 towards the next host inside {user.name}'s session"
    story.expect("second_hop_explicit_credentials", host, text, explicit, evidence)
