"""Logs in containers: found, held while they are read, and told which host's they are."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote

from evtxhunt.containers.archives import zip_tops
from evtxhunt.containers.found import FoundLog, Walk
from evtxhunt.containers.limits import MemberError
from evtxhunt.containers.spool import Spool
from evtxhunt.containers.walk import walk_container
from evtxhunt.discover import name_hosts, shown_path, top_folder
from evtxhunt.fast_parser import FastParser
from evtxhunt.model import LogCandidate, Member, SkippedFile, SourceFile, place_in
from evtxhunt.parse import newest_computer

# As Velociraptor's offline collector names what it writes, unless told otherwise.
_COLLECTION = re.compile(r"Collection-(.+)-\d{4}-\d\d-\d\dT[\d_]+Z?")
_SUFFIXES = re.compile(r"(\.(zip|7z|tar|t?gz|bz2|xz|t?zst|e01|ex01|dd|raw|img|vhdx?|vmdk|qcow2?|0*1))+$", re.IGNORECASE)


class Containers:
    """Goes through containers with one spool and one password."""

    def __init__(self, spool_folder: Path, password: str | None) -> None:
        self._spool = Spool(spool_folder)
        self._password = password

    def walk(self, candidate: LogCandidate) -> Walk:
        """What `walk_container` finds."""
        assert candidate.kind is not None  # it is a container
        return walk_container(candidate.path, candidate.kind, shown_path(candidate.path), self._spool, self._password)

    def sources(self, candidate: LogCandidate, host: str | None, hosts: "Hosts") -> Iterator[SourceFile | SkippedFile]:
        """The logs of a container, each held until its content is closed; `host` overrides `hosts`."""
        for found in self.walk(candidate):
            if isinstance(found, SkippedFile):
                yield found
                continue
            try:
                content = self._spool.take(cast("BinaryIO", found.stream), partly=True)
            except MemberError as error:
                yield SkippedFile(Path(place_in(found.container, found.path)), str(error), None)
                continue
            is_hidden = candidate.is_hidden or found.is_hidden
            member = Member(found.container, found.path, content, content.damage)
            label = host or hosts.of_member(candidate, found)
            yield SourceFile(candidate.path, content.size, content.sha256, 0, label, is_hidden, member=member)


class Hosts:
    """Which host a log is of by the folder or container in which it was collected; see `name_hosts`."""

    def __init__(self) -> None:
        self._hosts: dict[Path, str] = {}

    def name(self, candidates: Iterable[LogCandidate], containers: Containers, parser: FastParser) -> None:
        """Looks into the logs of those PATHs in which several computers may lie side by side."""
        by_root: dict[Path, list[LogCandidate]] = defaultdict(list)
        for candidate in candidates:
            if not candidate.is_blob:
                by_root[candidate.root].append(candidate)
        for root in by_root.values():
            if _may_hold_several(root):
                self._hosts.update(name_hosts(_newest_computers(root, containers, parser)))

    def of(self, candidate: LogCandidate) -> str | None:
        """Of a log that is a file."""
        return self._hosts.get(candidate.path)

    def of_member(self, candidate: LogCandidate, found: FoundLog) -> str | None:
        """Of a log in the container `candidate`."""
        return self._hosts.get(_as_unpacked(candidate, found))


def _may_hold_several(candidates: Sequence[LogCandidate]) -> bool:
    tops: set[str | None] = set()
    for candidate in candidates:
        if candidate.kind is None:
            tops.add(top_folder(candidate))
        elif candidate.path != candidate.root:
            tops.add(top_folder(candidate) or host_label(candidate.path.name))
        elif candidate.kind == "zip":
            return len(zip_tops(candidate.path)) > 1
        else:
            return candidate.kind != "image"  # there are Windows and Windows.old side by side
    return None not in tops and len(tops) > 1


def _newest_computers(
    candidates: Iterable[LogCandidate], containers: Containers, parser: FastParser
) -> Iterator[tuple[LogCandidate, str | None]]:
    for candidate in candidates:
        if candidate.kind is None:
            computer = None
            if top_folder(candidate) is not None:
                try:
                    with candidate.path.open("rb") as file:
                        computer = newest_computer(file, str(candidate.path), parser)
                except OSError:
                    computer = None  # named as unreadable when it is its turn to be read
            yield candidate, computer
            continue
        for found in containers.walk(candidate):
            if isinstance(found, FoundLog):
                path = _as_unpacked(candidate, found)
                try:
                    place = place_in(found.container, found.path)
                    computer = newest_computer(cast("BinaryIO", found.stream), place, parser)
                except MemberError:
                    computer = None
                yield LogCandidate(path, 0, candidate.root, found.is_hidden), computer


def host_label(name: str) -> str:
    """The host as the name of an archive or image says it."""
    label = _SUFFIXES.sub("", name) or name
    if collection := _COLLECTION.fullmatch(label):
        label = collection[1]
    return name if label in (".", "..") else label  # which are no names: ..zip


def _as_unpacked(candidate: LogCandidate, found: FoundLog) -> Path:
    """Where the log would lie if somebody had unpacked the container beside itself."""
    is_root = candidate.path == candidate.root
    folder = candidate.path if is_root else candidate.path.with_name(host_label(candidate.path.name))
    outermost = shown_path(candidate.path)
    inner = found.container[len(outermost) :].replace("!", "/")
    # Velociraptor encodes what a file name cannot hold: %5C%5C.%5CC%3A/Windows.
    parts = re.split(r"[/\\]", unquote(f"{inner}/{found.path}", errors="surrogateescape"))
    return folder.joinpath(*(part.replace("\0", "") for part in parts if part not in ("", ".", "..")))
