"""Which collections a shelf of evidence holds: what lies directly below a PATH, or the PATH itself."""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from evtxhunt.chunk import FILE_MAGIC
from evtxhunt.discover import follow_links, shown_path
from evtxhunt.errors import EvtxhuntError

_LONGEST_NAME = 80  # of a file; systems allow 255 bytes
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_HASHED = re.compile(r"-[0-9a-f]{12}$")  # as the names that are made end: no other host is to be called so
# Files that a shelf has beside its collections lack these; one that has them and holds no log is a failure.
_EVIDENCE_SUFFIX = re.compile(
    r"\.(evtx|zip|7z|tar|t?gz|bz2|xz|zst|rar|cab|vhdx?|vmdk|vdi|qcow2|ex?01|l01|ad1|aff4|dd|raw|img|001|iso|bin|mem)",
    re.IGNORECASE,
)


def find_collections(paths: Sequence[Path], output: Path) -> list[Path]:
    """The collections, sorted by path, each once; `output` is none of them.

    A file is one by itself, and so is a folder that holds a log directly; of another folder each entry is one. Raises
    EvtxhuntError if a path is missing or cannot be read, or if `output` lies within a collection.
    """
    ours = follow_links(output)
    found: dict[Path, Path] = {}
    for given in paths:
        path = Path(os.path.abspath(given))  # noqa: PTH100 - resolve() would follow links: evidence is named as given
        if not path.exists():
            raise EvtxhuntError(f"{given}: no such file or folder; give the path of the collections")
        for entry in _entries(given, path):
            resolved = follow_links(entry)
            if resolved == ours:
                continue
            if resolved in ours.parents:
                raise EvtxhuntError(
                    f"{output}: lies within the collection {shown_path(entry)}; give -o a folder outside of it"
                )
            found.setdefault(resolved, entry)
    inner = {resolved for resolved in found if not found.keys().isdisjoint(resolved.parents)}
    return sorted(path for resolved, path in found.items() if resolved not in inner)


def _entries(given: Path, path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        raise EvtxhuntError(f"{given}: cannot be read: {error.strerror}; give a folder that you may read") from error
    return [path] if any(_is_log(entry) for entry in entries) else entries


def _is_log(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(FILE_MAGIC)) == FILE_MAGIC
    except OSError:
        return False  # told when it is its turn


def could_be_evidence(path: str) -> bool:
    """Whether a file of that name ought to hold logs."""
    return _EVIDENCE_SUFFIX.fullmatch(Path(path).suffix) is not None


def file_name(name: str) -> str:
    """A safe file name for a host: the name in lower case where that is safe, else with a hash that tells it apart."""
    lower = name.lower()
    safe = re.sub(r"[^a-z0-9._-]", "_", lower).lstrip(".")[:_LONGEST_NAME].rstrip(".")
    if safe and safe == lower and not _RESERVED.fullmatch(safe) and not _HASHED.search(safe):
        return safe
    return f"{safe}-{hashlib.sha256(lower.encode(errors='surrogatepass')).hexdigest()[:12]}"
