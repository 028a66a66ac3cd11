"""What a triage says of a fleet; its page, JSON and CSV are pure functions of it. Times are naive UTC."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from evtxhunt.report_model import ReportPath

CollectionState = Literal["complete", "incomplete", "no logs", "no evidence", "failed"]
"""'no evidence': a file that is no log, archive or image, such as a list of hashes, and no failure."""

Verdict = Literal["evidence", "quiet", "not logged"]
"""'evidence': something speaks against it. Else 'quiet', if the logs that would tell are there; else 'not logged'."""


@dataclass(frozen=True, slots=True)
class TriageCollection:
    """An entry of the shelf. `what_to_do` belongs to a reason."""

    path: str
    state: CollectionState
    reason: str | None
    what_to_do: str | None
    logs: int
    size: int  # bytes of its logs
    records: int  # rendered, copies of other logs' records among them
    failed_records: int
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScorePart:
    """Why a host has so many points."""

    points: int
    text: str


@dataclass(frozen=True, slots=True)
class TriageFinding:
    """Findings of one detection and level on one host."""

    level: str
    detection_id: str
    title: str
    findings: int


@dataclass(frozen=True, slots=True)
class ChannelCoverage:
    """What there is of one channel of a host. missing_records is None where holes mean nothing."""

    channel: str
    records: int
    is_absent: bool
    missing_records: int | None
    cleared_time: datetime | None
    notes: str


@dataclass(frozen=True, slots=True)
class TriageHost:
    """A computer that wrote events of the case."""

    computer: str  # lower case, as correlated tables have it
    name: str
    report: str  # file of its report, below the folder of the triage
    score: int
    parts: tuple[ScorePart, ...]  # their points add up to the score
    verdict: Verdict
    missing_channels: tuple[str, ...]  # of those without which silence says nothing
    findings: tuple[TriageFinding, ...]
    sessions_in: int
    sessions_out: int
    hops_in: int
    hops_out: int
    serious_remarks: tuple[tuple[str, int], ...]  # reason in log_integrity, logs
    collections: tuple[str, ...]
    also_named: tuple[str, ...]  # other computers whose names stand in the same log files, the first five
    also_named_count: int  # all of them
    events: int
    first_time: datetime | None
    last_time: datetime | None
    coverage: tuple[ChannelCoverage, ...]


@dataclass(frozen=True, slots=True)
class FleetSession:
    """A remoting session; computers in lower case."""

    session_id: int
    start_time: datetime | None
    kind: str
    source: str | None
    target: str | None
    user_name: str | None
    confidence: str


@dataclass(frozen=True, slots=True)
class FleetHop:
    """A second hop; computers in lower case."""

    hop_id: int
    event_time: datetime | None
    from_session_id: int
    to_session_id: int | None
    source: str | None
    via: str
    target: str | None
    method: str
    user_name: str | None
    next_user_name: str | None
    is_failed: bool
    confidence: str


@dataclass(frozen=True, slots=True)
class Triage:
    """All that a triage shows."""

    version: str
    collections: tuple[TriageCollection, ...]  # by path
    hosts: tuple[TriageHost, ...]  # by score, highest first, then by name
    channels: tuple[str, ...]  # columns of the coverage matrix
    sessions: tuple[FleetSession, ...]  # in the order of time
    hops: tuple[FleetHop, ...]
    paths: tuple[ReportPath, ...]  # longest chains of hops
    uncollected: tuple[str, ...]  # computers of sessions and hops of which there is no log
    failed_detections: tuple[tuple[str, str], ...]  # id, error
    levels: tuple[tuple[str, int], ...]  # findings of the whole case, worst level first
    homeless_findings: int  # that name no computer of the case
    events: int
    nameless_events: int  # that name no computer

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """Each computer with its name."""
        return tuple((host.computer, host.name) for host in self.hosts)

    @property
    def is_complete(self) -> bool:
        """Every collection was read in full, every detection ran."""
        states = {collection.state for collection in self.collections}
        return states <= {"complete", "no evidence"} and not self.failed_detections
