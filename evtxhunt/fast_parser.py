"""The fast parser (Rust `evtx`), one chunk at a time; only importer of it.

It is given each chunk behind a file header of our own making: that costs nothing (measured: 329 MB/s against 333 MB/s
for whole files), a lying file header cannot mislead it, and damage stays inside its chunk.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import evtx

from evtxhunt.binxml_values import DEFAULT_ANSI_CODEC
from evtxhunt.chunk import MOST_RECORDS, synthetic_file_header, with_live_end, without_tables
from evtxhunt.watch import ParserWatch

PARSER_VERSION = f"evtx {version('evtx')}"
# A forged record of 64 KiB can name the same value thousands of times; no chunk of the real logs that the tests read
# says more than a hundredth of this.
MOST_TEXT = 16 * 2**20  # characters a chunk

_FILE_HEADER = synthetic_file_header()


class RenderedChunk:
    """What the parser made of a chunk: records in order, and errors with the record before which they came."""

    def __init__(self) -> None:
        self.record_ids: list[int] = []
        self.texts: list[str] = []
        self._errors: list[tuple[int, str]] = []

    @property
    def is_clean(self) -> bool:
        """Whether the parser had nothing to complain of."""
        return not self._errors

    def add_error(self, error: BaseException | str) -> None:
        """Notes that it came after the records so far."""
        self._errors.append((len(self.texts), str(error)))

    def errors_before(self, index: int) -> list[str]:
        """The errors between the record before `index` and that one."""
        return [text for position, text in self._errors if position == index]

    def only(self, are_good: Sequence[bool], reason: str) -> "RenderedChunk":
        """The same with an error in place of each record that is not good."""
        kept = RenderedChunk()
        for index, (record_id, text) in enumerate(zip(self.record_ids, self.texts, strict=True)):
            for error in self.errors_before(index):
                kept.add_error(error)
            if are_good[index]:
                kept.record_ids.append(record_id)
                kept.texts.append(text)
            else:
                kept.add_error(reason)
        for error in self.errors_before(len(self.texts)):
            kept.add_error(error)
        return kept


class FastParser:
    """Renders chunks; `ansi_codec` is the code page of text that is not UTF-16, `watch` tells who may stop it."""

    def __init__(self, ansi_codec: str = DEFAULT_ANSI_CODEC, watch: ParserWatch | None = None) -> None:
        self.ansi_codec = ansi_codec
        self._watch = watch
        self._are_readable: Callable[[list[str]], list[bool]] | None = None

    @contextmanager
    def checking(self, are_readable: Callable[[list[str]], list[bool]]) -> Iterator[None]:
        """Meanwhile texts of which `are_readable` says that they are no JSON are errors."""
        self._are_readable = are_readable
        try:
            yield
        finally:
            self._are_readable = None

    def render(self, chunk: bytes, path: str, number: int, live_end: int, content: str = "") -> RenderedChunk:
        """Every record before `live_end` of a chunk of CHUNK_SIZE bytes that the parser can render, as JSON.

        `path` and `number` are those of the chunk, for the watch, and `content` what tells apart logs of one path.
        """
        chunk = with_live_end(chunk, live_end)
        if self._watch is None:
            return self._checked(self._run(chunk))
        if (reason := self._watch.begin(path, number, content)) is not None:
            rendered = RenderedChunk()
            rendered.add_error(reason)
            return rendered
        try:
            return self._checked(self._run(chunk))
        finally:
            self._watch.end()

    def _checked(self, rendered: RenderedChunk) -> RenderedChunk:
        if self._are_readable is None or not rendered.texts:
            return rendered
        return rendered.only(self._are_readable(rendered.texts), "what the parser makes of it is no JSON")

    def _run(self, chunk: bytes) -> RenderedChunk:
        rendered = self._render(chunk)
        # The parser wants the offset tables of the chunk header to be right before it looks at any record. Without
        # them it renders the same (seen for each chunk of the real logs).
        return rendered if rendered.texts or rendered.is_clean else self._render(without_tables(chunk))

    def _render(self, chunk: bytes) -> RenderedChunk:
        rendered = RenderedChunk()
        ids, texts = rendered.record_ids, rendered.texts
        room = MOST_TEXT
        try:
            parser = evtx.PyEvtxParser(io.BytesIO(_FILE_HEADER + chunk), ansi_codec=self.ansi_codec)
            records: Any = parser.records_json()
            # An iterator that raises can be asked again; a chunk has an end, so have its errors.
            for _ in range(MOST_RECORDS):
                try:
                    for record in records:
                        text = record["data"]
                        if len(text) > room:
                            rendered.add_error(f"it would render to {len(text)} characters; no real record does")
                            continue
                        room -= len(text)
                        ids.append(record["event_record_id"])
                        texts.append(text)
                    break
                except RuntimeError as error:
                    rendered.add_error(error)
        except RuntimeError as error:
            rendered.add_error(error)
        except BaseException as error:
            # A Rust panic comes as a BaseException of a module that cannot be imported.
            if type(error).__name__ != "PanicException":
                raise
            rendered.add_error(error)
        return rendered


def is_ansi_codec(name: str) -> bool:
    """Whether the parser knows a code page by this name."""
    try:
        evtx.PyEvtxParser(io.BytesIO(_FILE_HEADER), ansi_codec=name)
    except (RuntimeError, ValueError):
        return False
    return True
