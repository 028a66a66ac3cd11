"""Hashes logs in containers again, each container gone through once."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evtxhunt.containers.found import FoundLog
from evtxhunt.containers.limits import MemberError, UnreadableError
from evtxhunt.discover import path_of, shown_path
from evtxhunt.model import LogCandidate, place_in
from evtxhunt.pipeline.contained import Containers
from evtxhunt.pipeline.ingest import IngestProgress
from evtxhunt.recognise import HEAD_BYTES, container_kind

_BLOCK_BYTES = 2**20
_Told = tuple[str, str, str, str | None]  # what, file, stored, now


@dataclass(frozen=True, slots=True)
class StoredMember:
    """A log in a container, as the case has it."""

    container: str
    path: str
    size: int
    sha256: str

    @property
    def place(self) -> str:
        """Where it is, as one text."""
        return place_in(self.container, self.path)


def compare_members(
    stored: Sequence[StoredMember], containers: Containers, progress: IngestProgress
) -> Iterator[_Told]:
    """What differs of each: what, file, stored, now (None: it is not there). `stored` is sorted by container."""
    by_file: dict[Path | None, list[StoredMember]] = defaultdict(list)
    for member in stored:
        by_file[_outermost(member.container)].append(member)
    for path, members in by_file.items():
        if path is None:
            yield from (("file: gone", member.place, member.sha256, "no such container") for member in members)
        else:
            yield from _compare(path, members, containers, progress)
        for _ in members:
            progress.finish_file()


def _outermost(container: str) -> Path | None:
    """The file at the beginning of a container's place."""
    parts = container.split("!")  # which a name may hold too: the longest that is there
    for count in range(len(parts), 0, -1):
        try:
            path = path_of("!".join(parts[:count]))
            if path.is_file():
                return path
        except OSError:
            continue
    return None


def _compare(
    path: Path, members: Sequence[StoredMember], containers: Containers, progress: IngestProgress
) -> Iterator[_Told]:
    wanted: dict[str, list[StoredMember]] = defaultdict(list)  # a tar may hold several of one path
    for member in members:
        wanted[member.place].append(member)
    try:
        found, reasons = _walk(path, wanted, containers, progress)
    except OSError as error:
        found, reasons = {}, {shown_path(path): error.strerror or str(error)}
    for place, these in wanted.items():
        digests = found.get(place, [])
        for member in these:
            if (member.sha256, member.size) in digests:
                digests.remove((member.sha256, member.size))
                continue
            if digests:
                sha256, size = digests.pop(0)
                if size != member.size:
                    yield "file: size", place, str(member.size), str(size)
                if sha256 != member.sha256:
                    yield "file: SHA-256", place, member.sha256, sha256
                continue
            reason = reasons.get(place) or reasons.get(member.container) or reasons.get(shown_path(path))
            yield "file: cannot be read" if reason else "file: gone", place, member.sha256, reason or "not in there"


def _walk(
    path: Path, wanted: dict[str, list[StoredMember]], containers: Containers, progress: IngestProgress
) -> tuple[dict[str, list[tuple[str, int]]], dict[str, str]]:
    """SHA-256 and size of the wanted logs by place, and what the container has to say. Raises OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        kind = container_kind(file.read(HEAD_BYTES), size)
    if kind is None:
        return {}, {shown_path(path): "it is neither an archive nor a disk image"}
    digests: dict[str, list[tuple[str, int]]] = defaultdict(list)
    reasons: dict[str, str] = {}
    for found in containers.walk(LogCandidate(path, size, path, False, kind=kind)):
        if not isinstance(found, FoundLog):
            # What else it says stands before it.
            if not found.reason.startswith("members that are no event logs"):
                reasons[str(found.path)] = found.reason
            continue
        place = place_in(found.container, found.path)
        if place not in wanted:
            continue
        digest, count = hashlib.sha256(), 0
        try:
            while block := found.stream.read(_BLOCK_BYTES):
                digest.update(block)
                count += len(block)
                progress.advance(place, len(block), 0)
        except UnreadableError:
            pass  # what comes before it was ingested
        except MemberError as error:
            reasons[place] = str(error)
            continue
        digests[place].append((digest.hexdigest(), count))
    return digests, reasons
