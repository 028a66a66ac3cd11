"""A scenario while it is told: its hosts, and the truth that is written down as it happens."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Literal

from samples.cast import COMPUTERS, DNS_DOMAIN, DOMAIN, DOMAIN_SID
from samples.scenario import Account, Event, Host, Session, utc

HopMethod = Literal[
    "none",
    "credssp",
    "unconstrained",
    "constrained",
    "resource_based",
    "jea",
    "run_as",
    "explicit_credentials",
]


Verdict = Literal["not_logged", "cleared", "overwritten", "not_collected", "no_command_line"]


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the story."""

    at: datetime
    host: Host
    actor: str
    text: str


@dataclass(slots=True, eq=False)
class RemoteSession:
    """A remoting session as it truly was. `witnesses`: role -> events; times are true, not as clocks showed.

    `logon` is the session on the target that the shell runs in, `user` who was authenticated: they differ
    for virtual accounts and RunAs endpoints. `source` is None where the client is no Windows host.
    """

    kind: Literal["powershell", "winrs", "other"]
    source: Host | None
    source_address: str
    source_user: Account | None
    target: Host
    user: Account
    package: str
    logon: Session
    resource_uri: str
    start: datetime
    host_process_id: int | None = None
    end: datetime | None = None
    end_reason: Literal["closed", "killed", "reboot", "unknown"] = "unknown"
    text: str = ""
    witnesses: dict[str, list[Event]] = field(default_factory=dict)

    def witness(self, role: str, events: Event | Iterable[Event]) -> None:
        self.witnesses.setdefault(role, []).extend([events] if isinstance(events, Event) else events)


@dataclass(frozen=True, slots=True)
class Hop:
    """Via `via` from a session there to `to`: into a further session, or to a share or another service."""

    method: HopMethod
    at: datetime
    inbound: RemoteSession
    to: str
    user: Account
    next_user: Account
    outbound: RemoteSession | None
    is_failed: bool
    text: str
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Expectation:
    """A detection that must fire, the records it rests on, and others it may cite as well.

    `is_benign`: right to fire on what it sees, though nobody meant harm here.
    """

    detection: str
    host: Host
    text: str
    events: tuple[Event, ...]
    related: tuple[Event, ...] = ()
    is_benign: bool = False


@dataclass(frozen=True, slots=True)
class NearMiss:
    """Ordinary events close to what a detection looks for: it must not fire on them."""

    detection: str
    host: Host
    text: str
    events: tuple[Event, ...]


class Fate(Enum):
    """What became of a log's events up to some moment."""

    CLEARED = "cleared"
    OVERWRITTEN = "overwritten"
    ARCHIVED = "archived"
    NOT_COLLECTED = "not_collected"


@dataclass(frozen=True, slots=True)
class Cut:
    """Events of `channel` on `host` before `at` met `fate`. The true time; None is the whole log."""

    host: Host
    channel: str
    at: datetime | None
    fate: Fate


@dataclass(frozen=True, slots=True)
class Gap:
    """What the logs of a host cannot tell, and why, in words a coverage account must come to."""

    host: Host
    channel: str
    verdict: Verdict
    text: str


@dataclass(slots=True)
class Story:
    """`day` is midnight, UTC; all clock times are of that day."""

    name: str
    title: str
    day: datetime
    guid_token: str = ""
    _hosts: dict[str, Host] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    sessions: list[RemoteSession] = field(default_factory=list)
    hops: list[Hop] = field(default_factory=list)
    expectations: list[Expectation] = field(default_factory=list)
    near_misses: list[NearMiss] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    @property
    def hosts(self) -> tuple[Host, ...]:
        return tuple(self._hosts[name] for name in sorted(self._hosts))

    @property
    def controller(self) -> Host | None:
        """The domain controller, if it is among the hosts whose logs are made."""
        return self._hosts.get("DC01")

    def clock(self, text: str) -> datetime:
        """`HH:MM:SS` or `HH:MM:SS.ffffff` of the story's day, UTC; hours above 23 are on later days."""
        return utc(self.day, text)

    def host(self, name: str, *, boot: datetime | None = None, skew: timedelta = timedelta(0)) -> Host:
        """A computer of the cast. The first call makes it; its options count then only."""
        if name not in self._hosts:
            computer = COMPUTERS[name]
            host = Host(
                name,
                DOMAIN,
                DNS_DOMAIN,
                computer.address,
                boot or self.clock("06:30:11") - timedelta(days=1),
                computer.build,
                skew=skew,
                seed=f"{self.name} ",
                guid_token=self.guid_token,
            )
            host.account = Account(host.account.name, DOMAIN.domain, f"{DOMAIN_SID}-{computer.relative_id}")
            self._hosts[name] = host
        return self._hosts[name]

    def tell(self, at: datetime, host: Host, actor: Account, text: str) -> None:
        self.steps.append(Step(at, host, actor.full_name, text))

    def expect(
        self,
        detection: str,
        host: Host,
        text: str,
        events: Iterable[Event],
        related: Iterable[Event] = (),
        *,
        is_benign: bool = False,
    ) -> None:
        self.expectations.append(Expectation(detection, host, text, tuple(events), tuple(related), is_benign))

    def relate(self, detection: str, events: Iterable[Event]) -> None:
        """A later consequence of what `detection` finds, which its finding may cite as well."""
        index = next(i for i, item in enumerate(self.expectations) if item.detection == detection)
        expected = self.expectations[index]
        self.expectations[index] = replace(expected, related=(*expected.related, *events))

    def near_miss(self, detection: str, host: Host, text: str, events: Iterable[Event]) -> None:
        self.near_misses.append(NearMiss(detection, host, text, tuple(events)))

    def hop(
        self,
        method: HopMethod,
        at: datetime,
        inbound: RemoteSession,
        to: Host,
        text: str,
        events: Iterable[Event] = (),
        *,
        next_user: Account | None = None,
        outbound: RemoteSession | None = None,
        is_failed: bool = False,
    ) -> None:
        """The second hop of `inbound` to the host `to`; `next_user` if it goes on as someone else."""
        user = inbound.user
        self.hops.append(
            Hop(method, at, inbound, to.name, user, next_user or user, outbound, is_failed, text, tuple(events))
        )

    def cut(self, host: Host, channel: str, at: datetime | None, fate: Fate) -> None:
        self.cuts.append(Cut(host, channel, at, fate))

    def gap(self, host: Host, channel: str, verdict: Verdict, text: str) -> None:
        self.gaps.append(Gap(host, channel, verdict, text))
