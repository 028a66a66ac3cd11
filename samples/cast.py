"""The company that all scenarios play in: its domain, computers and people.

All of it is made up: the domain is below example.test, addresses are from the documentation ranges
192.0.2.0/24 (the office) and 198.51.100.0/24 (outside).
"""

from dataclasses import dataclass

from samples.scenario import Account

DOMAIN_SID = "S-1-5-21-1004336348-1177238915-682003330"
DOMAIN = Account("CORP", "CORP", DOMAIN_SID)
DNS_DOMAIN = "corp.example.test"
REALM = DNS_DOMAIN.upper()
ATTACKER_ADDRESS = "198.51.100.23"
# The controller of Ansible runs Linux and logs nothing of Windows; administrators also work from here.
MANAGEMENT_ADDRESS = "192.0.2.5"


@dataclass(frozen=True, slots=True)
class Computer:
    """`build` is of Windows; `relative_id` ends the SID of the computer's domain account."""

    address: str
    build: int
    relative_id: int
    use: str


COMPUTERS = {
    "DC01": Computer("192.0.2.10", 20348, 1000, "domain controller, Server 2022"),
    "WS07": Computer("192.0.2.17", 19041, 1110, "jdoe's workstation, Windows 10"),
    "WS12": Computer("192.0.2.42", 19041, 1111, "an administrator's workstation, Windows 10"),
    "SRV02": Computer("192.0.2.20", 20348, 1108, "file and backup server, Server 2022"),
    "SRV03": Computer("192.0.2.23", 20348, 1109, "database server, Server 2022"),
    "WEB01": Computer("192.0.2.25", 20348, 1113, "web server, Server 2022"),
    "OLD01": Computer("192.0.2.31", 7601, 1103, "Server 2008 R2 with PowerShell 2.0"),
    "OLD02": Computer("192.0.2.32", 7601, 1104, "Windows 7 with PowerShell 2.0"),
    "R2S05": Computer("192.0.2.35", 9600, 1106, "Server 2012 R2 with PowerShell 4.0"),
}


def member(name: str, relative_id: int) -> Account:
    """An account of the domain."""
    return Account(name, DOMAIN.domain, f"{DOMAIN_SID}-{relative_id}")


def local(host: str, name: str, relative_id: int) -> Account:
    """An account of one computer; the SID of each computer is its own."""
    number = COMPUTERS[host].relative_id * 1_000_003
    return Account(name, host, f"S-1-5-21-{number % 2**31}-{number * 7 % 2**31}-{number * 11 % 2**31}-{relative_id}")


JDOE = member("jdoe", 1118)
ADM_LEE = member("adm-lee", 1107)
ADM_OPS = member("adm-ops", 1105)
SVC_BACKUP = member("svc-backup", 1604)
SVC_DEPLOY = member("svc-deploy", 1607)
STAFF = tuple(
    member(name, 1120 + number)
    for number, name in enumerate(
        ("abaker", "bcole", "cdiaz", "dwest", "eking", "fmoss", "gnash", "hpark", "ireid", "kshaw", "lwood")
    )
)
