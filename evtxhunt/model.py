"""What the stages hand to one another: frozen, slotted records without behaviour of their own."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from evtxhunt.log_model import LogAccount
from evtxhunt.recognise import ContainerKind
from evtxhunt.report_model import (
    ReportCoverage,
    ReportLine,
    ReportNote,
    ReportPath,
    ReportRun,
    ReportSkew,
    SessionDetail,
)

Level = Literal["informational", "low", "medium", "high", "critical"]
LEVELS: tuple[Level, ...] = ("informational", "low", "medium", "high", "critical")


OnStep = Callable[[str], None]
"""Hears the id of each view, table or detection that is about to be computed."""


def no_step(name: str) -> None:
    """Hears nothing."""


@dataclass(frozen=True, slots=True)
class LogCandidate:
    """A file that begins like an event log or a container, or one to be carved whatever it is; not hashed yet."""

    path: Path
    size: int
    root: Path  # the PATH argument under which it was found
    is_hidden: bool
    is_blob: bool = False  # to be carved
    kind: ContainerKind | None = None  # an archive or disk image, whose logs are to be found


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that is not ingested, and why; the path of one in a container is as `place_in` has it."""

    path: Path
    reason: str
    size: int | None


class Content(Protocol):
    """The bytes of a member of a container, held for as long as they are read."""

    def open(self) -> AbstractContextManager[BinaryIO]:
        """The bytes from the start; can be sought in."""

    def close(self) -> None:
        """Forgets them."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """An event log or blob to ingest; sha256 is lower-case hex over the whole content as of modified_ns."""

    path: Path
    size: int
    sha256: str
    modified_ns: int  # st_mtime_ns when it was hashed
    host: str | None
    is_hidden: bool
    is_blob: bool = False
    member: "Member | None" = None  # then `path` is that of the outermost container

    @property
    def place(self) -> str:
        """Where it is, as one text."""
        return str(self.path) if self.member is None else place_in(self.member.container, self.member.path)

    def open(self) -> AbstractContextManager[BinaryIO]:
        """Its bytes, to be read and sought in. Raises OSError."""
        return self.path.open("rb") if self.member is None else self.member.content.open()


@dataclass(frozen=True, slots=True)
class Member:
    """Where a log is in a container, as `FoundLog` has it, and its bytes."""

    container: str
    path: str
    content: Content
    damage: str | None  # why the container does not give more of it


def place_in(container: str | None, path: str) -> str:
    """A path, inside of a container or not, as one text: /evidence/a.zip!C/Windows/Security.evtx."""
    return path if container is None else f"{container}!{path}" if path else container


@dataclass(frozen=True, slots=True)
class ChannelCount:
    """Events of one host and channel; times are UTC."""

    host: str | None
    channel: str | None
    events: int
    first_time: datetime | None
    last_time: datetime | None


@dataclass(frozen=True, slots=True)
class SeenBefore:
    """Records of one log that became copies of events of other logs, or of its own."""

    source_file_id: int
    records: int
    counted_records: int  # of these, live and rescued ones
    other_ids: tuple[int, ...]  # source_file_id of those logs


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What one ingest did to a case."""

    read_files: int
    read_bytes: int
    events: int  # that the case has now more
    damaged: tuple[tuple[str, LogAccount], ...]  # path, account with what could not be read
    recovered: tuple[tuple[str, LogAccount], ...]  # path, account with what was rescued, found in slack or carved
    copies: tuple[tuple[str, str], ...]  # path, path of the same content
    seen_before: tuple[tuple[str, int, tuple[str, ...]], ...]  # path, its records that are copies, paths of the events
    conflicts: int  # pairs of records that differ under one number, that the case has now more
    known: tuple[str, ...]  # paths ingested by an earlier run
    hidden: tuple[str, ...]
    skipped: tuple[SkippedFile, ...]
    channels: tuple[ChannelCount, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that a query takes as $name; `default` has the type named by `type`."""

    name: str
    type: Literal["integer", "number", "string", "timestamp", "boolean"]
    default: object
    description: str = ""


@dataclass(frozen=True, slots=True)
class Requirement:
    """Events without which a query cannot find anything."""

    channel: str
    event_id: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A canned query: the header of its file and the SQL below it."""

    id: str
    kind: Literal["view", "table", "detection", "hunt"]
    title: str
    path: Path
    sql: str
    sha256: str
    level: Level | None = None
    other_levels: tuple[Level, ...] = ()  # that single findings of a detection may have instead, by a column `level`
    description: str = ""
    attack: tuple[str, ...] = ()
    false_positives: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    requires: tuple[Requirement, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    is_materialized: bool = False  # a view that `detect` computes once for all detections
    columns: tuple[tuple[str, str], ...] = ()  # of a table: name and what it holds, in order


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a detection with the records it rests on."""

    detection_id: str
    title: str
    level: Level
    attack: tuple[str, ...]
    event_time: datetime | None
    host: str | None
    computer: str | None
    user_name: str | None
    summary: str
    evidence: tuple[int, ...]  # event_key
    details: dict[str, object] = field(default_factory=dict)
    allowed_reason: str | None = None  # known to be good, by an allow-list


@dataclass(frozen=True, slots=True)
class DetectionRun:
    """How one detection ended; `findings` is None when it failed with `error`."""

    query: Query
    findings: tuple[Finding, ...] | None
    error: str | None
    seconds: float


# A rule is not applicable where the case has no events of its log source, or where it lacks a placeholder; and left
# out where it was not asked for.
RuleState = Literal["ran", "failed", "not applicable", "left out"]


@dataclass(frozen=True, slots=True)
class RuleRun:
    """How one Sigma rule ended."""

    detection_id: str
    title: str
    level: Level
    sha256: str
    state: RuleState
    findings: int | None
    reason: str | None
    about: dict[str, object] = field(default_factory=dict)  # what a reader needs to judge it
    seconds: float = 0.0
    where: str = ""  # file:line


@dataclass(frozen=True, slots=True)
class ReportFinding:
    """A stored finding as the report shows it; `records` are indexes into Report.records."""

    finding_id: int
    detection_id: str
    title: str
    level: Level
    attack: tuple[str, ...]
    event_time: datetime | None
    host: str | None
    computer: str | None
    user_name: str | None
    summary: str
    details: str | None  # JSON object
    records: tuple[int, ...]
    record_count: int  # evidence in the case; more than len(records) when the report leaves some out


@dataclass(frozen=True, slots=True)
class ReportRecord:
    """A record behind a finding, as the log has it."""

    event_key: int
    event_time: datetime | None
    host: str | None
    computer: str | None
    channel: str | None
    provider: str | None
    event_id: int | None
    event_record_id: int | None
    user_sid: str | None
    event_data: str | None  # JSON
    source: int  # index into Report.sources
    record_offset: int | None
    is_data_left_out: bool = False  # the case has event data that would make the report too large
    copies: tuple[tuple[int, str], ...] = ()  # index into Report.sources, number in the record header there
    copy_count: int = 0  # all of them; `copies` has the first
    origin: str = "live"  # 'live', 'rescued', 'slack', 'carved'


@dataclass(frozen=True, slots=True)
class ReportSource:
    """A log of the case with its hash and its accounts."""

    source_file_id: int
    path: str
    sha256: str
    size: int
    status: str
    copy_of: int | None
    host: str | None
    computer: str | None
    channel: str | None
    expected: int | None
    parsed: int | None
    failed: int | None
    duplicate: int | None  # of its records, those whose event is cited from another log
    first_time: datetime | None
    last_time: datetime | None
    rescued: int | None = None
    slack: int | None = None  # NULL: not looked for
    carved: int | None = None


@dataclass(frozen=True, slots=True)
class ReportFailure:
    """One thing that could not be read; `source` is an index into Report.sources."""

    source: int
    scope: str
    chunk: int | None
    file_offset: int | None
    header_record_id: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class ReportDetection:
    """A detection that ran, with its file's text, so that the reader can judge it."""

    detection_id: str
    title: str
    level: Level
    description: str
    attack: tuple[str, ...]
    false_positives: tuple[str, ...]
    references: tuple[str, ...]
    findings: int | None
    error: str | None
    sql: str
    language: str = "SQL"  # of that text; "Sigma" of a rule


@dataclass(frozen=True, slots=True)
class ReportSession:
    """A remoting session as a report shows it; times are naive UTC."""

    session_id: int
    kind: str
    start_time: datetime
    end_time: datetime | None
    end_reason: str
    source: str | None
    target: str | None
    user_name: str | None
    run_as_user_name: str | None
    authentication_package: str | None
    script_blocks: int
    commands: int
    child_processes: int
    confidence: str
    reason: str
    records: str | None  # some of its witnesses, as one cites them
    record_count: int
    missing: str | None  # witnesses that it lacks, and why
    detail: SessionDetail = field(default_factory=SessionDetail)


@dataclass(frozen=True, slots=True)
class ReportHop:
    """A second hop as a report shows it."""

    hop_id: int
    event_time: datetime
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
    reason: str
    records: str | None
    evidence: tuple[int, ...] = ()  # indexes into Report.records


@dataclass(frozen=True, slots=True)
class ReviewLine:
    """One statement of the WinRM security page, and what the case says to it."""

    number: int
    statement: str
    verdict: str  # 'witnessed', 'violated', 'not observable'
    because: str
    events: int


@dataclass(frozen=True, slots=True)
class Report:
    """All that a report shows; renderers are pure functions of it."""

    title: str
    version: str
    time_zone: str  # IANA name; display only, every datetime here is UTC
    window: tuple[datetime | None, datetime | None]
    only_host: str | None
    event_count: int
    first_time: datetime | None
    last_time: datetime | None
    channels: tuple[ChannelCount, ...]
    findings: tuple[ReportFinding, ...]
    finding_count: int  # in the case and scope; more than len(findings) when the report leaves some out
    records: tuple[ReportRecord, ...]
    sources: tuple[ReportSource, ...]
    failures: tuple[ReportFailure, ...]
    failure_count: int  # in the case; more than len(failures) when the report leaves some out
    skipped: tuple[SkippedFile, ...]
    detections: tuple[ReportDetection, ...]
    sessions: tuple[ReportSession, ...] = ()
    session_count: int = 0  # in scope; more than len(sessions) when the report leaves some out
    redaction: tuple[str, ...] = ()  # what was replaced and what that cannot hide; empty: nothing was
    hops: tuple[ReportHop, ...] = ()
    hop_count: int = 0  # likewise
    review: tuple[ReviewLine, ...] = ()
    allowed: tuple[tuple[str, str, int], ...] = ()  # detection, reason, findings set aside by the allow-list
    lines: tuple[ReportLine, ...] = ()  # the story in order of time
    line_kinds: tuple[tuple[str, int], ...] = ()  # lines in scope by kind; more than len(lines) when some are left out
    places: tuple[tuple[str, str], ...] = ()  # computer, lower case, and its host
    coverage: tuple[ReportCoverage, ...] = ()
    skews: tuple[ReportSkew, ...] = ()
    paths: tuple[ReportPath, ...] = ()
    runs: tuple[ReportRun, ...] = ()
    notes: tuple[ReportNote, ...] = ()
    slack_count: int = 0  # events of the case from slack, and carved ones
    carved_count: int = 0
    is_recovered_counted: bool = False  # they are among the events, findings and sessions of this report
    # Sigma rules by how they ended: "ran" (and found something), "silent", "failed", "not applicable", "left out".
    rule_counts: tuple[tuple[str, int], ...] = ()
