"""Reads chunks with both parsers, the fast one first and ours for what it leaves out, and accounts for every record."""

import codecs
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass

import pyarrow as pa

from evtxhunt.binxml import RecordRenderer
from evtxhunt.binxml_nodes import StaleRecordError, UnreadableRecordError
from evtxhunt.chunk import (
    CHUNK_MAGIC,
    CHUNK_SIZE,
    RECORD_HEADER_SIZE,
    ChunkWalk,
    RecordHeader,
    has_end,
    headers_between,
    hidden_headers,
    walk_chunk,
)
from evtxhunt.fast_parser import FastParser, RenderedChunk, is_ansi_codec
from evtxhunt.log_model import ChunkAccount, Origin, ParseFailure, RecordState, RecoveredRecord, Scope
from evtxhunt.record_rows import RecordRows
from evtxhunt.template_library import TemplateLibrary

# 4,096 rows feed DuckDB's 2,048-row vectors well; a batch of few, huge records ends after so many characters.
_BATCH_RECORDS = 4096
_BATCH_CHARACTERS = 16 << 20
# A forged log can announce 44 million lost records a GB: past this many they are counted and no longer listed.
MOST_LISTED = 100_000
# What our own parser may spend on the records of a chunk and of a file, in nodes of about two microseconds. A real
# record has 100 to 300: 200,000 of them are tried, and forged ones cannot hold up the other logs for hours.
_CHUNK_WORK = 500_000
_FILE_WORK = 40_000_000
_SHARED_ID = "another record of this damaged chunk has its id"
_GIVEN_UP = "the parser gave this chunk up at earlier damage"
# Seen in real logs: what a parser makes of such a record has no user, or half a path, and looks whole.
_CUT = "its end is cut off or overwritten: its size, due there once more, is not there"


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A chunk that is being read; `base` is its offset in the file, `size` how many of its bytes are there.

    `overwritten_end`: what lies before it may have been written after the records that refer to it.
    """

    number: int
    base: int
    data: bytes
    size: int
    renderer: RecordRenderer
    is_carved: bool
    overwritten_end: int = 0

    def cut_reason(self, header: RecordHeader) -> str | None:
        """Why the end of a record is not there; None if it is."""
        if header.offset + header.size > self.size:
            return "it is cut off here" if self.is_carved else "the file ends inside it"
        return None if has_end(self.data, header) else _CUT


class ChunkReader:
    """Takes the chunks of one file in order, and keeps the rows of the next batch and the accounts of the file."""

    def __init__(
        self, path: str, parser: FastParser, library: TemplateLibrary | None = None, content: str = ""
    ) -> None:
        """`library` has the templates of the whole file, for records whose chunk has lost theirs.

        `content` tells apart files of one path.
        """
        self.chunks = 0
        self.crc_mismatches = 0
        self.ids: tuple[int, int] | None = None  # lowest and highest in the headers of rendered records, slack apart
        self.counts: dict[Origin, int] = {"live": 0, "rescued": 0, "slack": 0, "carved": 0}
        self.failed = 0
        self.recovered: list[RecoveredRecord] = []  # the first MOST_LISTED of this and the next
        self.chunk_accounts: list[ChunkAccount] = []
        self._failures: list[ParseFailure] = []
        self._other_failures = 0
        self._read_alone: dict[int, dict[int, int]] = {}  # chunk -> offset in it -> header_record_id
        self._place = path, content
        self._parser = parser
        self._library = library
        self._work = 0
        self._rows = RecordRows()

    @property
    def has_full_batch(self) -> bool:
        """Whether it is time to take the batch."""
        return len(self._rows.texts) >= _BATCH_RECORDS or self._rows.characters >= _BATCH_CHARACTERS

    @property
    def failures(self) -> tuple[ParseFailure, ...]:
        """What could not be read, in the order in which it was met."""
        unlisted = [
            ParseFailure("file", None, None, None, f"{count - MOST_LISTED} more {what} than are listed one by one")
            for what, count in (("records failed", self.failed), ("places are damaged", self._other_failures))
            if count > MOST_LISTED
        ]
        return (*self._failures, *unlisted)

    def take_batch(self) -> pa.RecordBatch | None:
        """The rows since the last one, of RECORD_SCHEMA; None if there are none."""
        rows, self._rows = self._rows, RecordRows()
        return rows.batch() if rows.texts else None

    def fail(self, scope: Scope, chunk: int | None, offset: int | None, record_id: int | None, reason: str) -> None:
        """Adds to the failures; one of scope 'record' is a record that was expected."""
        self.failed += scope == "record"
        self._other_failures += scope != "record"
        if (self.failed if scope == "record" else self._other_failures) <= MOST_LISTED:
            self._failures.append(ParseFailure(scope, chunk, offset, record_id, reason))

    def read_chunk(
        self, number: int, base: int, data: bytes, *, is_without_checksums: bool = False, is_carved: bool = False
    ) -> None:
        """Reads the records in live space of a chunk, which is shorter than others if the file ends in it.

        That a chunk has no checksums is believed if the file header says so too.
        """
        size = len(data)
        rows_before, failed_before = sum(self.counts.values()), self.failed
        self.chunks += 1
        if size < CHUNK_SIZE:
            place = "cut off" if is_carved else "file ends"
            self.fail("chunk", number, base + size, None, f"{place} {size} bytes into this chunk of 65536")
            data = data.ljust(CHUNK_SIZE, b"\0")
        walk = walk_chunk(data)
        if walk.offsets and walk.offsets[-1] + RECORD_HEADER_SIZE > size:  # of this header a part is no file's
            data = data[: walk.offsets[-1]].ljust(CHUNK_SIZE, b"\0")
            walk = walk_chunk(data)
        has_mismatch = not walk.is_crc_valid and not (walk.is_crc_valid is None and is_without_checksums)
        self.crc_mismatches += has_mismatch
        self._read_live(number, base, data, size, walk, is_carved)
        read_alone, failed = len(self._read_alone.get(number, ())), self.failed - failed_before
        if (is_carved or has_mismatch or read_alone or failed) and len(self.chunk_accounts) < MOST_LISTED:
            parsed = sum(self.counts.values()) - rows_before - read_alone
            ids = min(walk.record_ids, default=None), max(walk.record_ids, default=None)
            account = ChunkAccount(number, base, size, walk.is_crc_valid, *ids, parsed, read_alone, failed)
            self.chunk_accounts.append(account)

    def _read_live(self, number: int, base: int, data: bytes, size: int, walk: ChunkWalk, is_carved: bool) -> None:
        chunk = _Chunk(number, base, data, size, self._renderer(data), is_carved)
        if not data.startswith(CHUNK_MAGIC):
            self.fail("chunk", number, base, None, f"chunk begins with {data[:8].hex(' ')} and not with ElfChnk")
            for header in walk.headers(data):
                self._rescue(chunk, header, "its chunk has no header to read it by")
            self._tell_hidden(chunk, walk)
            return
        path, content = self._place
        rendered = self._parser.render(data, path, number, walk.live_end, content)
        has_cut = not walk.is_crc_valid and any(chunk.cut_reason(header) for header in walk.headers(data))
        if rendered.is_clean and rendered.record_ids == walk.record_ids and not has_cut:
            offsets = [base + offset for offset in walk.offsets]
            self._add(_origin(chunk, "live"), walk.record_ids, walk.written_filetimes, offsets, rendered.texts)
        else:
            self._match(chunk, walk, rendered)
        if not walk.is_crc_valid or not rendered.is_clean:
            self._tell_hidden(chunk, walk)
        if not walk.is_live_end_told and size == CHUNK_SIZE:
            reason = f"the chunk header is wrong about where live space ends; read to {walk.live_end}"
            self.fail("chunk", number, base, None, reason)
        if walk.damaged_at is not None and walk.damaged_at < size:
            self.fail("chunk", number, base + walk.damaged_at, None, "no record header where one is due")
        self._find_missing(chunk, walk.live_end, set(walk.missing_ids).difference(rendered.record_ids))

    def _tell_hidden(self, chunk: _Chunk, walk: ChunkWalk) -> None:
        for offset, hidden in hidden_headers(chunk.data, walk):
            seen = f"{len(hidden)} record{'s' * (len(hidden) > 1)} inside of the record at {offset} of this chunk"
            reason = f"what looks like {seen} may be a value of it, and counts as slack"
            self.fail("chunk", chunk.number, chunk.base + hidden[0].offset, None, reason)

    def read_slack(self, number: int, base: int, data: bytes, *, is_carved: bool = False) -> None:
        """Reads the records that are left in the free space of a chunk, and what may be records inside of live ones.

        Call it after `read_chunk` of that chunk.
        """
        has_magic = data.startswith(CHUNK_MAGIC)  # else all of it was taken for live space
        data = data.ljust(CHUNK_SIZE, b"\0")
        walk = walk_chunk(data)
        chunk = _Chunk(number, base, data, CHUNK_SIZE, self._renderer(data), is_carved, walk.live_end)
        for offset, headers in hidden_headers(data, walk):
            for header in headers:
                self._take_slack(
                    chunk, header, f"inside of the record at {offset} of its chunk; it may be a value of it"
                )
        for header in headers_between(data, walk.live_end, CHUNK_SIZE) if has_magic else ():
            if header.offset not in self._read_alone.get(number, ()):
                self._take_slack(chunk, header, None)

    def _renderer(self, data: bytes) -> RecordRenderer:
        find_template = self._library.find if self._library is not None else None
        return RecordRenderer(data, self._parser.ansi_codec, find_template)

    def _match(self, chunk: _Chunk, walk: ChunkWalk, rendered: RenderedChunk) -> None:
        """Pairs rendered records with walked headers in order; headers left over are read alone.

        So are those that share their record id: which of them the parser left out, nothing tells.
        """
        headers = walk.headers(chunk.data)
        shared = {record_id for record_id, count in Counter(walk.record_ids).items() if count > 1}
        position, errors = 0, list[str]()
        for index, (record_id, text) in enumerate(zip(rendered.record_ids, rendered.texts, strict=True)):
            errors += rendered.errors_before(index)
            if record_id in shared:
                continue
            try:
                found = walk.record_ids.index(record_id, position)
            except ValueError:
                self._add(_origin(chunk, "live"), [record_id], [None], [None], [text])
                continue
            self._rescue_all(chunk, headers[position:found], errors, shared)
            errors.clear()
            header = headers[found]
            if (reason := chunk.cut_reason(header)) is not None:
                self._reject(chunk, header, reason, text)
            else:
                offset, filetime = chunk.base + header.offset, header.written_filetime
                self._add(_origin(chunk, "live"), [record_id], [filetime], [offset], [text])
            position = found + 1
        errors += rendered.errors_before(len(rendered.texts))
        self._rescue_all(chunk, headers[position:], errors, shared)

    def _rescue_all(
        self, chunk: _Chunk, headers: Sequence[RecordHeader], errors: Sequence[str], shared: Set[int]
    ) -> None:
        # The parser names an error once and then goes on, or gives the rest of the chunk up.
        named = iter(errors)
        for header in headers:
            self._rescue(chunk, header, _SHARED_ID if header.record_id in shared else next(named, _GIVEN_UP))

    def _find_missing(self, chunk: _Chunk, live_end: int, missing: set[int]) -> None:
        """Records that the chunk header counts may lie behind the end of live space that it names."""
        missing = missing.difference(self._read_alone.get(chunk.number, {}).values())
        for header in headers_between(chunk.data, live_end, CHUNK_SIZE) if missing else ():
            if header.record_id in missing:
                missing.remove(header.record_id)
                self._rescue(chunk, header, "the chunk header counts it, and calls its place free")
        for record_id in sorted(missing):
            reason = "the chunk header counts it but its record header is gone"
            self.fail("record", chunk.number, None, record_id, reason)

    def _rescue(self, chunk: _Chunk, header: RecordHeader, reason: str) -> None:
        """Reads a record alone, which the fast parser left out for `reason`."""
        text, state, why_not = self._render(chunk, header)
        if (cut_reason := chunk.cut_reason(header)) is not None:
            self._reject(chunk, header, cut_reason, text)
        elif text is None:
            self._reject(chunk, header, f"{reason}; read alone: {why_not}", None)
        else:
            self._add_rescued(chunk, header, text, state, f"{reason}; {why_not}" if why_not else reason)

    def _reject(self, chunk: _Chunk, header: RecordHeader, reason: str, remains: str | None) -> None:
        """Counts a record as failed; `remains` is what a parser made of it all the same."""
        self.fail("record", chunk.number, chunk.base + header.offset, header.record_id, reason)
        if remains is not None:
            self._add_recovered(chunk, header, _origin(chunk, "rescued"), None, "damaged", reason, remains)

    def _add_rescued(self, chunk: _Chunk, header: RecordHeader, text: str, state: RecordState, reason: str) -> None:
        self._read_alone.setdefault(chunk.number, {})[header.offset] = header.record_id
        self._add_recovered(chunk, header, _origin(chunk, "rescued"), text, state, reason)

    def _take_slack(self, chunk: _Chunk, header: RecordHeader, doubt: str | None) -> None:
        text, state, why_not = self._render(chunk, header)
        reason = f"{doubt}; {why_not}" if doubt and why_not else doubt or why_not
        self._add_recovered(chunk, header, _origin(chunk, "slack"), text, state, reason)

    def _render(self, chunk: _Chunk, header: RecordHeader) -> tuple[str | None, RecordState, str | None]:
        """The record's JSON, its state, and why that is not 'whole'."""
        renderer = chunk.renderer
        before = renderer.work
        if before > _CHUNK_WORK or self._work > _FILE_WORK or self._rows.characters > 2 * _BATCH_CHARACTERS:
            return None, "damaged", "not tried: the records of this log cause more work than one may"
        try:
            rendered = renderer.render(header.offset, header.size)
        except StaleRecordError as error:
            return None, "stale", str(error)
        except UnreadableRecordError as error:
            return None, "damaged", str(error)
        finally:
            self._work += renderer.work - before
        if rendered.is_borrowed:
            return (
                rendered.text,
                "borrowed",
                "its template is overwritten; that of the same id in another chunk was taken",
            )
        if rendered.refers_to is not None and rendered.refers_to < chunk.overwritten_end:
            reason = f"refers to {rendered.refers_to} of its chunk, which is live space now; what stands there fits"
            return rendered.text, "borrowed", reason
        return rendered.text, "whole", None

    def _add(
        self,
        origin: Origin,
        record_ids: Sequence[int],
        filetimes: Sequence[int | None],
        offsets: Sequence[int | None],
        texts: Sequence[str],
    ) -> None:
        self.counts[origin] += len(texts)
        self._rows.add(origin, record_ids, filetimes, offsets, texts)
        if texts and origin != "slack":
            lowest, highest = min(record_ids), max(record_ids)
            self.ids = (min(self.ids[0], lowest), max(self.ids[1], highest)) if self.ids else (lowest, highest)

    def _add_recovered(
        self,
        chunk: _Chunk,
        header: RecordHeader,
        origin: Origin,
        text: str | None,
        state: RecordState,
        reason: str | None,
        remains: str | None = None,
    ) -> None:
        row = None
        offset = chunk.base + header.offset
        if text is not None:
            row = sum(self.counts.values())
            self._add(origin, [header.record_id], [header.written_filetime], [offset], [text])
        if len(self.recovered) < MOST_LISTED:
            filetime = header.written_filetime
            record = RecoveredRecord(
                origin, chunk.number, offset, header.size, header.record_id, filetime, state, reason, remains, row
            )
            self.recovered.append(record)


def is_known_codec(name: str) -> bool:
    """Whether both parsers know a code page by this name."""
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return is_ansi_codec(name)


def _origin(chunk: _Chunk, origin: Origin) -> Origin:
    """Whatever way it was read, a record of a carved chunk is a carved one."""
    return "carved" if chunk.is_carved else origin
