"""What the fast parser is at, told to another process: it can be stopped from outside only.

A forged record of a few KiB can name values in values until they are more text than any memory holds. The parser
(native code that holds Python's interpreter lock) then neither comes back nor can be interrupted.
"""

import mmap
import struct
from collections.abc import Set
from dataclasses import dataclass

_HEAD = struct.Struct("<QQH")  # `ParserWork.turn`, 0 while the parser is not at work; chunk; length of the path
MEMORY_SIZE = 65536


@dataclass(frozen=True, slots=True)
class ParserWork:
    """One chunk that the parser was given; `turn` counts them."""

    turn: int
    path: str
    chunk: int


class ParserWatch:
    """The parser's side: says each chunk in shared `memory`, and knows those that it must not be given again."""

    def __init__(self, memory: mmap.mmap, forbidden: Set[tuple[str, int]]) -> None:
        self._memory = memory
        self._forbidden = forbidden
        self._turn = 0

    def begin(self, path: str, chunk: int) -> bool:
        """Says that the parser is given this chunk of the log at `path`; False: it must not be."""
        if (path, chunk) in self._forbidden:
            return False
        self._turn += 1
        name = path.encode(errors="surrogateescape")[: MEMORY_SIZE - _HEAD.size]
        self._memory[_HEAD.size : _HEAD.size + len(name)] = name
        _HEAD.pack_into(self._memory, 0, self._turn, chunk, len(name))
        return True

    def end(self) -> None:
        """Says that the parser came back."""
        _HEAD.pack_into(self._memory, 0, 0, 0, 0)


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
    turn, chunk, length = _HEAD.unpack_from(memory)
    if turn == 0:
        return None
    name = memory[_HEAD.size : _HEAD.size + length]
    return ParserWork(turn, name.decode(errors="surrogateescape"), chunk)
