"""Parts of a report that stand on records: story lines, what ran in a session, coverage, the analyst's notes.

`records` are indexes into Report.records throughout; `record_count` is how many the case has, which may be more.
Times are naive UTC.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One line of the story: a sentence and the records behind it."""

    event_time: datetime | None
    computer: str | None  # lower case, as correlated tables have it
    host: str | None  # the collection's label for it
    channel: str | None  # of its first record
    kind: str  # 'session', 'hop', 'finding', 'process', 'logon', ...
    user_name: str | None
    text: str
    session_id: int | None
    finding_id: int | None  # of kind 'finding'
    records: tuple[int, ...]
    record_count: int


@dataclass(frozen=True, slots=True)
class ReportLayer:
    """What a script or command line hides, one step decoded."""

    method: str
    depth: int
    text: str
    length: int  # characters in the case; more than len(text) when the report cuts it


@dataclass(frozen=True, slots=True)
class ReportCommand:
    """Code or a command of a session. kind: 'script block' (4104, joined) or 'command' (4103, 800)."""

    kind: str
    event_time: datetime | None
    text: str
    length: int  # characters in the case
    path: str | None  # script file it came from
    is_flagged: bool  # Windows itself logged it as suspicious
    parts_found: int
    parts_total: int
    layers: tuple[ReportLayer, ...]
    records: tuple[int, ...]
    record_count: int


@dataclass(frozen=True, slots=True)
class ReportProcess:
    """A process of a session; parents stand before their children."""

    process_key: int
    parent_key: int | None  # a process of the same session; NULL: the root
    process_id: int | None
    program: str | None
    command_line: str | None
    user_name: str | None
    start_time: datetime | None
    end_time: datetime | None
    layers: tuple[ReportLayer, ...]
    records: tuple[int, ...]
    record_count: int


@dataclass(frozen=True, slots=True)
class ReportWitness:
    """A record that shows something of a session, with the rule that linked it."""

    role: str
    rule: str
    record: int


@dataclass(frozen=True, slots=True)
class ReportGap:
    """A kind of witness that Windows would write of a session: seen, or why it may be missing."""

    role: str
    computer: str | None
    channel: str
    is_seen: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class SessionDetail:
    """All that is known of one remoting session; the counts are those of the case."""

    source_ip: str | None = None
    source_user_name: str | None = None
    user_sid: str | None = None
    logon_type: int | None = None
    target_logon_id: int | None = None
    resource_uri: str | None = None
    host_process_id: int | None = None
    witnesses: tuple[ReportWitness, ...] = ()
    witness_count: int = 0
    gaps: tuple[ReportGap, ...] = ()
    commands: tuple[ReportCommand, ...] = ()
    command_count: int = 0
    processes: tuple[ReportProcess, ...] = ()
    process_count: int = 0


@dataclass(frozen=True, slots=True)
class ReportCoverage:
    """What a log of a computer could have shown: a row of log_coverage."""

    computer: str
    host: str | None
    channel: str
    records: int
    first_time: datetime | None
    last_time: datetime | None
    missing_records: int | None
    cleared_time: datetime | None
    is_absent: bool
    notes: str


@dataclass(frozen=True, slots=True)
class ReportSkew:
    """By how much the clock of `other_computer` is ahead of that of `computer`."""

    computer: str
    other_computer: str
    seconds_ahead: float
    least_seconds: float
    most_seconds: float
    pairs: int
    basis: str
    is_skewed: bool


@dataclass(frozen=True, slots=True)
class ReportPath:
    """A longest chain of hops."""

    path_id: int
    entry_session_id: int
    hop_ids: tuple[int, ...]
    computers: tuple[str | None, ...]
    user_names: tuple[str | None, ...]
    methods: tuple[str, ...]
    is_failed: bool


@dataclass(frozen=True, slots=True)
class ReportRun:
    """What was run on the case, without the time of day."""

    command: str
    arguments: str  # JSON object
    versions: str  # JSON object
    rule_set_sha256: str | None


@dataclass(frozen=True, slots=True)
class ReportNote:
    """An analyst's mark. `key` names what it is on by content, so that it fits a new report of the same evidence."""

    key: str
    is_starred: bool
    is_hidden: bool
    text: str
