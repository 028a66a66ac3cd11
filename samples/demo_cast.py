"""Who and what takes part in the demo, and the truth that is written down while it happens.

All of it is made up: the domain is below example.test, addresses are from the documentation ranges
192.0.2.0/24 (the office) and 198.51.100.0/24 (the attacker).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from samples.scenario import HIGH, Account, Event, Host, Process, Session, utc

DAY = datetime(2025, 3, 4, tzinfo=UTC)
DOMAIN_SID = "S-1-5-21-1004336348-1177238915-682003330"
DOMAIN = Account("CORP", "CORP", DOMAIN_SID)
DNS_DOMAIN = "corp.example.test"
CLIENT_VERSION = "5.1.19041.3803"
SERVER_VERSION = "5.1.20348.1"
ATTACKER_ADDRESS = "198.51.100.23"


def clock(text: str) -> datetime:
    """`HH:MM:SS` of the demo's day, UTC."""
    return utc(DAY, text)


def member(name: str, relative_id: int) -> Account:
    """An account of the domain."""
    return Account(name, DOMAIN.domain, f"{DOMAIN_SID}-{relative_id}")


JDOE = member("jdoe", 1118)
SVC_BACKUP = member("svc-backup", 1604)
ADM_LEE = member("adm-lee", 1107)
ADM_OPS = member("adm-ops", 1105)
STAFF = tuple(
    member(name, 1120 + number)
    for number, name in enumerate(
        ("abaker", "bcole", "cdiaz", "dwest", "eking", "fmoss", "gnash", "hpark", "ireid", "kshaw", "lwood")
    )
)


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the story."""

    at: datetime
    host: Host
    actor: str
    text: str


@dataclass(frozen=True, slots=True)
class Expectation:
    """A detection that must fire, the records it rests on, and others it may cite as well."""

    detection: str
    host: Host
    text: str
    events: tuple[Event, ...]
    related: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class NearMiss:
    """Ordinary events close to what a detection looks for: it must not fire on them."""

    detection: str
    host: Host
    text: str
    events: tuple[Event, ...]


@dataclass(slots=True)
class Demo:
    """The hosts with their events, and the truth."""

    ws07: Host = field(default_factory=lambda: _host("WS07", "192.0.2.17", "19041"))
    srv02: Host = field(default_factory=lambda: _host("SRV02", "192.0.2.20", "20348"))
    old01: Host = field(default_factory=lambda: _host("OLD01", "192.0.2.31", "7601"))
    steps: list[Step] = field(default_factory=list)
    expectations: list[Expectation] = field(default_factory=list)
    near_misses: list[NearMiss] = field(default_factory=list)

    @property
    def hosts(self) -> tuple[Host, ...]:
        return (self.old01, self.srv02, self.ws07)

    def tell(self, at: datetime, host: Host, actor: Account, text: str) -> None:
        self.steps.append(Step(at, host, actor.full_name, text))

    def relate(self, detection: str, events: Iterable[Event]) -> None:
        """A later consequence of what `detection` finds, which its finding may cite as well."""
        index = next(i for i, item in enumerate(self.expectations) if item.detection == detection)
        expected = self.expectations[index]
        self.expectations[index] = replace(expected, related=(*expected.related, *events))


@dataclass(frozen=True, slots=True)
class Desk:
    """jdoe's interactive logon on WS07: an administrator's two linked sessions, and the desktop."""

    session: Session
    elevated: Session
    explorer: Process


def _host(name: str, address: str, build: str) -> Host:
    return Host(name, DOMAIN, DNS_DOMAIN, address, clock("06:30:11"), build)


def sit_down(host: Host, at: datetime) -> Desk:
    """The sessions and the desktop process; the events are logged by the noise of the morning."""
    session = host.new_session(JDOE, at, terminal=1)
    elevated = host.new_session(JDOE, at, HIGH, terminal=1)
    pid = host.new_pid()
    image = "C:\\Windows\\explorer.exe"
    explorer = Process(pid, host.sysmon_guid(at, pid), image, "C:\\Windows\\Explorer.EXE", session)
    return Desk(session, elevated, explorer)
