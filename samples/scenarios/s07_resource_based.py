"""Second hop by resource-based constrained delegation, written by an attacker.

jdoe, who may write SRV03's computer object, makes a computer account of his own (4741) and writes it into
SRV03's msDS-AllowedToActOnBehalfOfOtherIdentity (5136, shown as a malformed security descriptor). With that
account's password he gets a ticket for SRV03 in adm-lee's name and opens its administrative share.
"""

from datetime import timedelta

from samples.cast import ADM_LEE, ADM_OPS, JDOE
from samples.delegation import change_computer, change_object, create_computer, impersonate
from samples.desks import seat, sit_down
from samples.kerberos import grant_tgt
from samples.remoting import Client, Login, open_shell
from samples.scenario import milliseconds
from samples.shares import open_share
from samples.story import Story

TITLE = "Second hop by resource-based constrained delegation"
_ATTRIBUTE = "msDS-AllowedToActOnBehalfOfOtherIdentity"
_SHOWN = "Malformed Security Descriptor"


def tell(story: Story) -> None:
    dc01, ws07, srv02, srv03 = (story.host(name) for name in ("DC01", "WS07", "SRV02", "SRV03"))
    console = seat(story, "WS07", JDOE, "08:02:31.207", "14:10:03.118")
    at = story.clock("14:11:30.410")
    shell = open_shell(story, at, Client.of(console), srv02, Login(JDOE, is_admin=True), text="jdoe at SRV02")
    story.tell(at, ws07, JDOE, "opens a session to SRV02")
    at = story.clock("14:14:02.330")
    shell.script(at - milliseconds(80), "New-MachineAccount -Name WSX99 # synthetic, does nothing")
    actor = dc01.new_session(JDOE, at)
    created, made = create_computer(dc01, at, actor, "WSX99", 1720)
    story.tell(at, srv02, JDOE, "makes the computer account WSX99$")
    at = story.clock("14:15:20.770")
    shell.script(at - milliseconds(80), "Set-ADComputer SRV03 -PrincipalsAllowedToDelegateToAccount WSX99$")
    written = [
        change_object(dc01, at, actor, srv03.account, _ATTRIBUTE, _SHOWN),
        change_computer(dc01, at + milliseconds(2), actor, srv03.account),
    ]
    story.tell(at, srv02, JDOE, "lets WSX99$ act for others towards SRV03")
    story.expect(
        "resource_based_delegation_written",
        dc01,
        "5136 by jdoe, a minute after the new account",
        written[:1],
        [made, *written],
    )
    at = story.clock("14:17:41.050")
    tgt = grant_tgt(dc01, at, created, srv02.address, srv02.new_port(), encryption=0x17)
    guid, transmitted, tickets = impersonate(
        dc01, at + milliseconds(40), created, ADM_LEE, srv03.account, srv02.address, srv02.new_port()
    )
    _, events = open_share(
        story,
        at + milliseconds(90),
        srv02,
        srv03,
        ADM_LEE,
        share="C$",
        files=("Users\\Public\\note.txt",),
        is_admin=True,
        ticket=guid,
        transmitted=transmitted,
    )
    story.tell(at, srv02, JDOE, "opens C$ of SRV03 as adm-lee")
    text = "S4U2Self and S4U2Proxy by WSX99$ from SRV02's address"
    story.hop("resource_based", at, shell.truth, srv03, text, [tgt, *tickets, *events], next_user=ADM_LEE)
    story.expect("s4u_ticket", dc01, "S4U2Self and S4U2Proxy of WSX99$", tickets)
    shell.close(story.clock("14:25:10.600"))
    _allow_as_documented(story)


def _allow_as_documented(story: Story) -> None:
    """An administrator does what Microsoft's page on the second hop recommends: it looks the same on the DC."""
    dc01, web01 = story.host("DC01"), story.host("WEB01")
    at = story.clock("09:02:11.400")
    admin = sit_down(dc01, at - timedelta(minutes=1), ADM_OPS)
    written = change_object(dc01, at, admin.elevated, web01.account, _ATTRIBUTE, _SHOWN)
    story.tell(at, dc01, ADM_OPS, "lets SRV02 act for others towards WEB01, for the web team")
    story.expect("resource_based_delegation_written", dc01, "the web team's delegation", [written], is_benign=True)
