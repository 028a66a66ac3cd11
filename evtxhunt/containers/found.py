"""What a walk through a container meets."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evtxhunt.containers.limits import Forward
from evtxhunt.model import SkippedFile, place_in

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class FoundLog:
    """A file in a container that begins like an event log; its stream is to be read before the next is asked for."""

    container: str  # shown path of the outermost one, then "!" and the path inside for each one further in
    path: str  # as stored in it
    stream: Forward

    @property
    def is_hidden(self) -> bool:
        """Whether its name or a folder of it begins with a dot."""
        return any(part.startswith(".") and part.strip(".") for part in self.path.replace("\\", "/").split("/"))


Found = FoundLog | SkippedFile
Walk = Iterator[Found]


def refused(container: str, path: str, reason: str, size: int | None = None) -> SkippedFile:
    """The row for a member that is not read."""
    return SkippedFile(Path(place_in(container, path)), reason, size)


def is_log_name(path: str) -> bool:
    """Whether it is named as event logs are."""
    return path.lower().endswith(".evtx")


def shown_name(name: str) -> str:
    """A member's path as text: control characters, and bytes that no character was made of, as \\xNN; never empty."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text) or "(no name)"
