"""Where rule files are: folders, single files, and zips, of which each member is read in memory."""

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from evtxhunt.errors import RulesError

_SUFFIXES = (".yml", ".yaml")
# SigmaHQ's largest rule has 295 kB, all of its Windows rules 7 MB: past these it is no rule, or a bomb.
_MOST_FILE_BYTES = 1_000_000
_MOST_FILES = 50_000
_MOST_BYTES = 256_000_000
# What zipfile raises for damaged data.
_ZIP_ERRORS = (
    OSError,
    EOFError,
    RuntimeError,  # encrypted; NotImplementedError is one: packed by what Python lacks
    ValueError,  # UnicodeDecodeError is one, of a name
    LookupError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A YAML file. `name` is its path below what was given, with slashes; `shown` is the path for messages."""

    name: str
    shown: str
    content: bytes | None  # None: it could not be read, for `problem`
    problem: str = ""


def rule_files(paths: Sequence[Path]) -> Iterator[RuleFile]:
    """The YAML files of all paths, each once, in the order of the paths and of names.

    Raises RulesError if a path does not exist or is a damaged zip.
    """
    seen: set[str] = set()
    count = size = 0
    for path in paths:
        for file in _files_of(path):
            if file.shown in seen:
                continue
            seen.add(file.shown)
            count += 1
            size += len(file.content or b"")
            if count > _MOST_FILES or size > _MOST_BYTES:
                raise RulesError(
                    f"{path}: more than {_MOST_FILES:,} files or {_MOST_BYTES:,} bytes; give --rules a smaller folder"
                )
            yield _with_text(file)


def zipped_files(archive: BinaryIO, shown: str) -> Iterator[RuleFile]:
    """The YAML files of an open zip, in the order of their names. Raises RulesError if it is damaged or too large."""
    size = 0
    for count, file in enumerate(_read_zip(archive, shown), 1):
        size += len(file.content or b"")
        if count > _MOST_FILES or size > _MOST_BYTES:
            raise RulesError(f"{shown}: more than {_MOST_FILES:,} files or {_MOST_BYTES:,} bytes, which no rules have")
        yield file


def _files_of(path: Path) -> Iterator[RuleFile]:
    if path.is_dir():
        found = (item for item in path.rglob("*") if item.suffix.lower() in _SUFFIXES and item.is_file())
        for item in sorted(found, key=lambda item: item.relative_to(path).as_posix()):
            yield _read_file(item, item.relative_to(path).as_posix())
    elif not path.exists():
        raise RulesError(f"{path}: no such file or folder of rules; give --rules a folder, a YAML file or a zip")
    elif zipfile.is_zipfile(path):
        yield from _read_zip(path, str(path))
    else:
        yield _read_file(path, path.name)


def _read_file(path: Path, name: str) -> RuleFile:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_FILE_BYTES + 1)
    except OSError as error:
        return RuleFile(name, str(path), None, f"cannot be read: {error.strerror}")
    return _checked(name, str(path), content)


def _read_zip(source: Path | BinaryIO, origin: str) -> Iterator[RuleFile]:
    try:
        with zipfile.ZipFile(source) as archive:
            members = [item for item in archive.infolist() if item.filename.lower().endswith(_SUFFIXES)]
            for member in sorted(members, key=lambda item: item.filename):
                shown = f"{origin}/{member.filename}"
                try:
                    with archive.open(member) as file:
                        yield _checked(member.filename, shown, file.read(_MOST_FILE_BYTES + 1))
                except _ZIP_ERRORS as error:
                    yield RuleFile(member.filename, shown, None, f"cannot be read: {error}")
    except _ZIP_ERRORS as error:
        raise RulesError(f"{origin}: the zip cannot be read: {error}; fetch it again") from error


def _with_text(file: RuleFile) -> RuleFile:
    """A name that is not UTF-8 could be in no case: it becomes one that could, and the file's problem."""
    name, shown = (text.encode("utf-8", "backslashreplace").decode() for text in (file.name, file.shown))
    return file if shown == file.shown else RuleFile(name, shown, None, "its path is not UTF-8: rename it")


def _checked(name: str, shown: str, content: bytes) -> RuleFile:
    if len(content) > _MOST_FILE_BYTES:
        return RuleFile(name, shown, None, f"larger than {_MOST_FILE_BYTES:,} bytes, which no rule is")
    return RuleFile(name, shown, content)
