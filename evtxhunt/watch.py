"""What the fast parser is at, told to another process: it can be stopped from outside only.

A forged record of a few KiB can name values in values until they are more text than any memory holds. The parser
(native code that holds Python's interpreter lock) then neither comes back nor can be interrupted.
"""

import mmap
import struct
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

# `ParserWork.turn`, 0 while the parser is not at work; chunk; log; length of what follows of the path
_HEAD = struct.Struct("<QQ16sH")
MEMORY_SIZE = 65536
# Of one log; each takes up to 20 seconds. After so many it is read without the fast parser.
_MOST_RUNAWAYS = 5


@dataclass(frozen=True, slots=True)
class ParserWork:
    """One chunk that the parser was given; `turn` counts them, `log` tells logs apart, `path` may be cut off."""

    turn: int
    log: bytes
    path: str
    chunk: int


class Runaways:
    """The chunks from which the parser did not come back."""

    def __init__(self) -> None:
        self._chunks: dict[bytes, set[int]] = {}

    @property
    def logs(self) -> int:
        """How many logs they are in."""
        return len(self._chunks)

    def add(self, work: ParserWork) -> bool:
        """Notes one; whether the parser must not be given any other chunk of this log either."""
        chunks = self._chunks.setdefault(work.log, set())
        chunks.add(work.chunk)
        return len(chunks) >= _MOST_RUNAWAYS

    def refusal(self, log: bytes, chunk: int) -> str | None:
        """Why the parser must not be given a chunk; None if it may be."""
        chunks = self._chunks.get(log, ())
        if chunk in chunks:
            return "the parser does not come back from this chunk"
        if len(chunks) >= _MOST_RUNAWAYS:
            return f"the parser does not come back from {len(chunks)} chunks of this log, and was not given the others"
        return None


class ParserWatch:
    """The parser's side: says each chunk in shared `memory`, and knows those that it must not be given again."""

    def __init__(self, memory: mmap.mmap, runaways: Runaways) -> None:
        self._memory = memory
        self._runaways = runaways
        self._turn = 0

    def begin(self, path: str, chunk: int, content: str = "") -> str | None:
        """Says that the parser is given this chunk of the log at `path`; why not, if it must not be.

        `content` tells apart what has the same path: an archive may have two members of one name.
        """
        name, log = _named(path, content)
        if (reason := self._runaways.refusal(log, chunk)) is not None:
            return reason
        self._turn += 1
        self._memory[_HEAD.size : _HEAD.size + len(name)] = name
        _HEAD.pack_into(self._memory, 0, self._turn, chunk, log, len(name))
        return None

    def end(self) -> None:
        """Says that the parser came back."""
        _HEAD.pack_into(self._memory, 0, 0, 0, bytes(16), 0)


@lru_cache(maxsize=16)
def _named(path: str, content: str) -> tuple[bytes, bytes]:
    """As much of the path as there is room for, and what stands for all of it."""
    name = path.encode(errors="surrogateescape")
    return name[: MEMORY_SIZE - _HEAD.size], blake2b(name + b"\0" + content.encode(), digest_size=16).digest()


_current: ParserWatch | None = None


def watch_this_process(watch: ParserWatch) -> None:
    """Says that another process guards this one."""
    global _current  # one process, one guard
    _current = watch


def current_watch() -> ParserWatch | None:
    """The watch of a guarded process; None if nothing guards it."""
    return _current


def parser_work(memory: mmap.mmap) -> ParserWork | None:
    """What the parser is at; None if it is not at work."""
    turn, chunk, log, length = _HEAD.unpack_from(memory)
    if turn == 0:
        return None
    name = memory[_HEAD.size : _HEAD.size + length]
    return ParserWork(turn, log, name.decode(errors="surrogateescape"), chunk)
