"""What reading a log tells beside its records: what failed, what was recovered, and the accounts."""

from dataclasses import dataclass
from typing import Literal

Scope = Literal["record", "chunk", "file"]
Origin = Literal["live", "rescued", "slack", "carved"]
RecordState = Literal["whole", "borrowed", "stale", "damaged"]
"""Of a recovered record: all of it is there; it took a template or name that may be a later one, and fits; these are
overwritten; it cannot be read for another reason."""


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """Something that could not be read. Scope 'record' stands for exactly one expected record."""

    scope: Scope
    chunk: int | None
    file_offset: int | None
    header_record_id: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class RecoveredRecord:
    """A record that the fast parser did not give; `row` is its number among those of its file, None: not rendered."""

    origin: Origin
    chunk: int
    file_offset: int
    size: int
    header_record_id: int
    written_filetime: int  # 100 ns since 1601-01-01 UTC
    state: RecordState
    reason: str | None
    remains: str | None  # JSON that a parser made of a damaged record
    row: int | None


@dataclass(frozen=True, slots=True)
class ChunkAccount:
    """What live space of one chunk held. expected = parsed + rescued + failed, whatever origin its events have."""

    chunk: int
    file_offset: int
    size: int
    is_crc_valid: bool | None  # None: it has no checksums
    first_header_record_id: int | None  # of the records that were met
    last_header_record_id: int | None
    parsed: int
    rescued: int
    failed: int


@dataclass(frozen=True, slots=True)
class LogAccount:
    """What one log held, by our own walk over its headers. expected = parsed + rescued + failed.

    slack, carved: records rendered from there; None: not looked for.
    """

    is_dirty: bool | None
    is_full: bool | None
    is_header_crc_valid: bool | None
    next_header_record_id: int | None
    chunks: int
    chunk_crc_mismatches: int
    first_header_record_id: int | None
    last_header_record_id: int | None
    expected: int
    parsed: int
    rescued: int
    failed: int
    slack: int | None
    carved: int | None
    failures: tuple[ParseFailure, ...]
    recovered: tuple[RecoveredRecord, ...]
    chunk_accounts: tuple[ChunkAccount, ...]  # of carved chunks, and of those with something failed or amiss
