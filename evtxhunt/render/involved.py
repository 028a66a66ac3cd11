"""Which accounts and hosts a report tells of, and as what."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from evtxhunt.model import LEVELS, Level, Report


@dataclass(slots=True)
class Involved:
    """An account or a host: in how many sessions and hops it has which part, and what was found of it."""

    name: str
    roles: dict[str, int] = field(default_factory=dict)
    findings: int = 0
    level: Level | None = None

    def add(self, role: str) -> None:
        """Counts one more session or hop in which it has this part."""
        self.roles[role] = self.roles.get(role, 0) + 1

    def add_finding(self, level: Level) -> None:
        """Counts a finding; the worst level stays."""
        self.findings += 1
        if self.level is None or LEVELS.index(level) > LEVELS.index(self.level):
            self.level = level


def involved_accounts(report: Report) -> tuple[Involved, ...]:
    """Accounts of sessions, hops and findings of level low or worse, the gravest first; case is no difference."""
    accounts: dict[str, Involved] = {}

    def get(name: str) -> Involved:
        # DOMAIN\user and user are shown apart: whether they are one account is for the reader to judge.
        return accounts.setdefault(name.lower(), Involved(name))

    for session in report.sessions:
        if session.user_name:
            get(session.user_name).add("ran sessions")
        if session.run_as_user_name:
            get(session.run_as_user_name).add("sessions ran as it")
    for hop in report.hops:
        if hop.next_user_name:
            get(hop.next_user_name).add("went on as it")
    for finding in report.findings:
        if finding.user_name and finding.level != "informational":
            get(finding.user_name).add_finding(finding.level)
    return _gravest_first(accounts)


def involved_hosts(report: Report, host_of: Mapping[str, str]) -> tuple[Involved, ...]:
    """Hosts of sessions, hops and findings of level low or worse, the gravest first."""
    hosts: dict[str, Involved] = {}

    def get(computer: str) -> Involved:
        name = host_of.get(computer.lower(), computer)
        return hosts.setdefault(name.lower(), Involved(name))

    for session in report.sessions:
        if session.source:
            get(session.source).add("source of sessions")
        if session.target:
            get(session.target).add("target of sessions")
    for hop in report.hops:
        get(hop.via).add("way on to others")
    for finding in report.findings:
        if finding.host and finding.level != "informational":
            hosts.setdefault(finding.host.lower(), Involved(finding.host)).add_finding(finding.level)
    return _gravest_first(hosts)


def _gravest_first(items: Mapping[str, Involved]) -> tuple[Involved, ...]:
    return tuple(
        sorted(
            items.values(),
            key=lambda item: (
                -(LEVELS.index(item.level) if item.level else -1),
                -sum(item.roles.values()),
                -item.findings,
                item.name.lower(),
            ),
        )
    )
