"""Finds event logs and containers below the given paths by their first bytes, and hashes logs."""

import errno
import hashlib
import os
import re
import stat
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from evtxhunt.chunk import FILE_MAGIC
from evtxhunt.errors import EvtxhuntError
from evtxhunt.model import LogCandidate, SkippedFile
from evtxhunt.recognise import HEAD_BYTES, container_kind


def discover_files(paths: Sequence[Path]) -> tuple[list[LogCandidate], list[SkippedFile]]:
    """All files at or below `paths`: event logs, containers, and the rest with the reason why; each sorted by path.

    Content decides, not the suffix. Links are followed, each folder is visited once. Raises EvtxhuntError if a
    path does not exist.
    """
    candidates: list[LogCandidate] = []
    skipped: list[SkippedFile] = []
    seen: dict[Path, Path] = {}
    for given in paths:
        root = given.absolute()
        if not root.exists():
            raise EvtxhuntError(f"{given}: no such file or folder; give the evidence's path")
        for path in _walk(root, skipped):
            resolved = follow_links(path)
            if resolved in seen:
                if seen[resolved] != path:  # else the PATHs overlap
                    skipped.append(SkippedFile(path, f"the same file as {shown_path(seen[resolved])}", None))
                continue
            seen[resolved] = path
            found = _look_at(path, root)
            if isinstance(found, LogCandidate):
                candidates.append(found)
            else:
                skipped.append(found)
    return sorted(candidates, key=lambda item: item.path), sorted(set(skipped), key=lambda item: item.path)


def discover_blobs(paths: Sequence[Path]) -> list[LogCandidate]:
    """Files and block devices to carve, sorted by path, each once. Raises EvtxhuntError for what is neither."""
    found: dict[Path, LogCandidate] = {}
    for given in paths:
        path = given.absolute()
        try:
            mode = path.stat().st_mode
            if not is_content(mode):
                raise EvtxhuntError(f"{given}: can only carve files and block devices; give each file of a folder")
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
        except OSError as error:
            raise EvtxhuntError(f"{given}: cannot be carved: {error.strerror}; give the path of a file") from error
        found.setdefault(path.resolve(), LogCandidate(path, size, path, path.name.startswith("."), is_blob=True))
    return sorted(found.values(), key=lambda item: item.path)


def is_content(mode: int) -> bool:
    """Whether a file of this st_mode, as stat(2) has it, can be read to its end: a regular one or a block device."""
    return stat.S_ISREG(mode) or stat.S_ISBLK(mode)


def follow_links(path: Path) -> Path:
    """Where the path leads; itself, if its links lead to one another for ever."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # RuntimeError: of such links before Python 3.13
        return path


# How the reasons of `_look_at`, and of containers, begin that leave nothing unread.
_HARMLESS = (
    "empty",
    "not an event log",
    "the same file as ",
    "a part of a disk image, read with",
    "members that are no event logs: ",
    "no event log among its members: ",
)


def is_harmless(reason: str) -> bool:
    """Whether a SkippedFile's reason says that there is nothing in it to read, or that it is read elsewhere."""
    return reason.startswith(_HARMLESS)


def _walk(root: Path, skipped: list[SkippedFile]) -> Iterator[Path]:
    if not root.is_dir():
        yield root
        return

    def name_unreadable(error: OSError) -> None:
        skipped.append(SkippedFile(Path(error.filename), f"unreadable: {error.strerror}", None))

    visited: set[tuple[int, int]] = set()
    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=name_unreadable):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in visited:
            subfolders.clear()  # a link back to a folder that was walked already
            continue
        visited.add((status.st_dev, status.st_ino))
        subfolders.sort()
        for name in sorted(names):
            yield Path(folder, name)


def _look_at(path: Path, root: Path) -> LogCandidate | SkippedFile:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return SkippedFile(path, "not a regular file", None)
        if status.st_size == 0:
            return SkippedFile(path, "empty", 0)
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        is_loop = error.errno == errno.ELOOP
        return SkippedFile(path, f"unreadable: {'a link that leads to itself' if is_loop else error.strerror}", None)
    is_log = head.startswith(FILE_MAGIC)
    kind = None if is_log else container_kind(head, status.st_size)
    if not is_log and kind is None:
        named_so = ", though named .evtx" if path.suffix.lower() == ".evtx" else ""
        return SkippedFile(path, f"not an event log{named_so}", status.st_size)
    if kind == "image part":
        has_first = any(
            path.with_suffix(suffix).exists() for suffix in (f"{path.suffix[:2] or '.E'}01", ".E01", ".e01")
        )
        where = ", read with the first one" if has_first else ", whose first part is not beside it"
        return SkippedFile(path, f"a part of a disk image{where}", status.st_size)
    inside = path.relative_to(root).parts if path != root else (path.name,)
    return LogCandidate(path, status.st_size, root, any(part.startswith(".") for part in inside), kind=kind)


def hash_file(path: Path) -> tuple[str, int]:
    """SHA-256 of the whole file in lower-case hex, and how many bytes that are. Raises OSError."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return sha256, file.tell()


def shown_path(path: Path) -> str:
    """The path as text; bytes of a file name that are not UTF-8 become \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def path_of(shown: str) -> Path:
    """The path that `shown_path` shows so. Raises OSError if there is nothing, or it cannot be looked at."""
    path = Path(shown)
    try:
        path.lstat()
    except FileNotFoundError:
        raw = re.sub(rb"\\x([89a-f][0-9a-f])", lambda match: bytes.fromhex(match[1].decode()), shown.encode())
        path = Path(os.fsdecode(raw))
        path.lstat()
    return path


def top_folder(candidate: LogCandidate) -> str | None:
    """The first folder below the PATH argument that holds the log; None if it lies directly in it."""
    if candidate.path == candidate.root:
        return None
    parts = candidate.path.relative_to(candidate.root).parts
    return parts[0] if len(parts) > 1 else None


def name_hosts(newest_computers: Iterable[tuple[LogCandidate, str | None]]) -> Mapping[Path, str]:
    """Path of a log -> its host, for PATHs in which several computers were collected side by side.

    That is taken to be so if the logs of a PATH lie in two or more folders, in each of them at least half of the
    logs end with the same computer, and these computers differ: /evidence/DC1/..., /evidence/WS07/... Folders that
    sort logs by topic have no such majority. A folder's name then is the host, whatever the computer was called.
    """
    by_root: dict[Path, dict[str, list[tuple[LogCandidate, str | None]]]] = defaultdict(lambda: defaultdict(list))
    loose: set[Path] = set()
    for candidate, computer in newest_computers:
        folder = top_folder(candidate)
        if folder is None:
            loose.add(candidate.root)
        else:
            by_root[candidate.root][folder].append((candidate, computer))
    hosts: dict[Path, str] = {}
    for root, folders in by_root.items():
        if root in loose or len(folders) < 2:
            continue
        majorities = [_majority([computer for _, computer in logs]) for logs in folders.values()]
        if None in majorities or len(set(majorities)) < len(majorities):
            continue
        for folder, logs in folders.items():
            hosts.update((candidate.path, shown_path(Path(folder))) for candidate, _ in logs)
    return hosts


def _majority(computers: list[str | None]) -> str | None:
    short_names = Counter(computer.split(".")[0].lower() for computer in computers if computer)
    if not short_names:
        return None
    name, count = min(short_names.items(), key=lambda item: (-item[1], item[0]))
    return name if count * 2 >= len(computers) else None
