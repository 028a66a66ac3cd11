"""Second hop by constrained delegation with protocol transition: WEB01 may impersonate anyone towards SRV03.

The domain controller's log has the configuration (4742 with 0x40000 and AllowedToDelegateTo, 5136) and the use: WEB01
asks for a ticket to itself in the user's name (S4U2Self) and with it for one to SRV03 (S4U2Proxy); SRV03's
4624 lists WEB01 under TransmittedServices. The session itself is ordinary: nothing was forwarded.
"""

from datetime import timedelta

from samples.cast import ADM_OPS, DNS_DOMAIN, JDOE
from samples.delegation import (
    LDAP_TRUSTED_TO_AUTHENTICATE,
    SAM_TRUSTED_TO_AUTHENTICATE,
    change_computer,
    change_flags,
    change_object,
    impersonate,
    trust_computer,
)
from samples.desks import seat, sit_down
from samples.kerberos import grant_ticket
from samples.remoting import Client, Login, open_shell
from samples.scenario import milliseconds
from samples.shares import open_share
from samples.story import Story

TITLE = "Second hop by constrained delegation with protocol transition"
_SERVICE = f"cifs/SRV03.{DNS_DOMAIN}"


def tell(story: Story) -> None:
    dc01, ws07, web01, srv03 = (story.host(name) for name in ("DC01", "WS07", "WEB01", "SRV03"))
    at = story.clock("08:20:05.120")
    admin = sit_down(dc01, at, ADM_OPS).elevated
    change = at + timedelta(minutes=6)
    services = f"\r\n\t\t{_SERVICE}\r\n\t\tcifs/SRV03"
    configured = [
        change_computer(dc01, change, admin, web01.account, AllowedToDelegateTo=services),
        change_object(dc01, change + milliseconds(1), admin, web01.account, "msDS-AllowedToDelegateTo", _SERVICE),
        trust_computer(dc01, change + milliseconds(8), admin, web01.account, SAM_TRUSTED_TO_AUTHENTICATE),
        *change_flags(dc01, change + milliseconds(9), admin, web01.account, LDAP_TRUSTED_TO_AUTHENTICATE),
    ]
    story.tell(change, dc01, ADM_OPS, "lets WEB01 act for any user towards cifs on SRV03, by any protocol")
    story.expect("delegation_configured", dc01, "AllowedToDelegateTo and the flag of protocol transition", configured)
    console = seat(story, "WS07", JDOE, "08:02:31.207", "10:05:03.118")
    at = story.clock("10:06:12.730")
    shell = open_shell(story, at, Client.of(console), web01, Login(JDOE), text="an ordinary Kerberos session")
    story.tell(at, ws07, JDOE, "opens a session to WEB01")
    at = story.clock("10:09:44.020")
    shell.script(at - milliseconds(60), "Get-Content \\\\srv03\\dept\\rates.csv")
    guid, transmitted, tickets = impersonate(
        dc01, at, web01.account, JDOE, srv03.account, web01.address, web01.new_port()
    )
    _, events = open_share(
        story, at + milliseconds(20), web01, srv03, JDOE, files=("rates.csv",), ticket=guid, transmitted=transmitted
    )
    story.tell(at, web01, JDOE, "the web server reads SRV03 in jdoe's name")
    text = "S4U2Self and S4U2Proxy by WEB01$; SRV03 logs WEB01 under TransmittedServices"
    story.hop("constrained", at, shell.truth, srv03, text, [*tickets, *events])
    story.expect("s4u_ticket", dc01, "S4U2Self and S4U2Proxy of WEB01$", tickets)
    shell.close(story.clock("10:15:20.600"))
    renamed = change_computer(
        dc01,
        story.clock("09:00:12.050"),
        dc01.system,
        srv03.account,
        DnsHostName=srv03.computer,
        ServicePrincipalNames=f"\r\n\t\tHOST/{srv03.computer}",
    )
    story.near_miss("delegation_configured", dc01, "4742 that changes names only", [renamed])
    _, own = grant_ticket(dc01, story.clock("09:01:00.700"), dc01.account, dc01.account, dc01.address, 50211)
    story.near_miss("s4u_ticket", dc01, "the domain controller asks for a ticket to itself", [own])
