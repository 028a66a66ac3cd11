"""Zip, tar, compressed files and archives within them: their event logs as streams, by content."""

import lzma
import stat
import struct
import sys
import tarfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

import pyzipper

from evtxhunt.chunk import FILE_MAGIC
from evtxhunt.containers.found import FoundLog, Walk, is_log_name, refused, shown_name
from evtxhunt.containers.limits import (
    DEPTH,
    DIRECTORY_BYTES,
    LOG_BYTES,
    MEMBERS,
    ZIP_READ_BYTES,
    Counting,
    Forward,
    MemberError,
    Ratio,
    reason_of,
)
from evtxhunt.containers.sevenzip import seven_zip_members
from evtxhunt.containers.spool import Spool
from evtxhunt.containers.streams import open_compressed
from evtxhunt.containers.tar import open_tar
from evtxhunt.model import place_in
from evtxhunt.recognise import HEAD_BYTES, ContainerKind, container_kind

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# What the libraries raise for damaged data.
_ERRORS = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zstd.ZstdError,
    tarfile.TarError,
    pyzipper.BadZipFile,
    RuntimeError,  # a password that does not fit; NotImplementedError is one: an unknown compression
    ValueError,  # UnicodeDecodeError is one
    LookupError,
    struct.error,
    ArithmeticError,
    AssertionError,  # these three by parsers that trust what they read
    AttributeError,
    TypeError,
)
_PROMISING = (".evtx", ".zip", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst")


@dataclass(slots=True)
class _Tally:
    """What a container holds beside what is named one by one."""

    logs: int = 0
    others: int = 0
    locked: int = 0
    is_worth_a_row: bool = False
    reasons: list[str] = field(default_factory=list)

    def reason(self) -> str:
        parts = list(self.reasons)
        if self.locked:
            parts.append(f"encrypted members, not looked at without --password: {self.locked:,}")
        if self.others or not (self.logs or parts or self.is_worth_a_row):
            what = "members that are no event logs" if self.logs else "no event log among its members"
            parts.append(f"{what}: {self.others:,}")
        return "; ".join(parts)


class ArchiveWalk:
    """Goes through one archive and those in it, once."""

    def __init__(self, size: int, spool: Spool, password: str | None) -> None:
        self._total = Ratio(size)
        self._spool = spool
        self._password = password.encode() if password is not None else None
        self._members = 0

    def walk(self, file: BinaryIO, kind: ContainerKind, place: str, depth: int = 1) -> Walk:
        """The logs in the archive `file`, and what is not read; last, a row for the archive itself.

        Zip and 7z are sought in, all else is read forward. Members of a zip come in the order of their paths.
        """
        tally = _Tally()
        try:
            match kind:
                case "zip":
                    yield from self._zip(file, place, depth, tally)
                case "7z":
                    yield from self._seven_zip(file, place, depth, tally)
                case "tar":
                    yield from self._tar(file, place, depth, tally)
                case _:
                    yield from self._compressed(file, kind, place, depth, tally)
        except MemberError as error:
            tally.reasons.append(str(error))
        except _ERRORS as error:
            tally.reasons.append(reason_of(error))
        is_named = tally.logs or tally.locked or tally.reasons or tally.is_worth_a_row
        if (depth == 1 or is_named) and (reason := tally.reason()):
            yield refused(place, "", reason)

    def _count_member(self) -> None:
        self._members += 1
        if self._members > MEMBERS:
            raise MemberError(f"refused: more than {MEMBERS:,} members; the rest is not looked at")

    def _look(self, place: str, path: str, stream: Forward, size: int | None, depth: int, tally: _Tally) -> Walk:
        """What one member is, by its first bytes."""
        try:
            head = stream.peek_head(HEAD_BYTES)
            if head.startswith(FILE_MAGIC):
                tally.logs += 1
                yield FoundLog(place, path, stream)
            elif kind := container_kind(head, size):
                yield from self._nested(place, path, stream, kind, depth, tally)
            elif is_log_name(path):
                tally.is_worth_a_row = True
                yield refused(place, path, "not an event log, though named .evtx" if head else "empty", size)
            else:
                tally.others += 1
        except MemberError as error:
            tally.is_worth_a_row = True
            yield refused(place, path, str(error), size)

    def _nested(self, place: str, path: str, stream: Forward, kind: ContainerKind, depth: int, tally: _Tally) -> Walk:
        if kind in ("image", "image part"):
            raise MemberError("a disk image in an archive: not read, take it out of there first")
        if depth == DEPTH:
            raise MemberError(f"refused: more than {DEPTH} archives within one another")
        inner = place_in(place, path)
        has_any = False
        if kind in ("zip", "7z"):
            held = self._spool.take(cast("BinaryIO", stream))
            try:
                with held.open() as file:
                    for found in self.walk(file, kind, inner, depth + 1):
                        has_any = True
                        tally.logs += isinstance(found, FoundLog)
                        yield found
            finally:
                held.close()
        else:
            for found in self.walk(cast("BinaryIO", stream), kind, inner, depth + 1):
                has_any = True
                tally.logs += isinstance(found, FoundLog)
                yield found
        tally.is_worth_a_row |= has_any
        tally.others += not has_any

    def _zip(self, file: BinaryIO, place: str, depth: int, tally: _Tally) -> Walk:
        _refuse_large_directory(file)
        with pyzipper.AESZipFile(file) as archive:
            members = archive.infolist()
            for info in sorted(members, key=lambda info: (info.orig_filename.split("/"), info.header_offset)):
                self._count_member()
                path = shown_name(info.orig_filename)
                if info.filename.endswith("/"):  # is_dir() fails where there is no name
                    continue
                if stat.S_ISLNK(info.external_attr >> 16) and is_log_name(path):
                    tally.is_worth_a_row = True
                    yield refused(place, path, "a link, not followed", info.file_size)
                    continue
                if info.flag_bits & 1 and self._password is None:
                    if is_log_name(path):
                        tally.is_worth_a_row = True
                        yield refused(place, path, "encrypted: give its --password", info.file_size)
                    else:
                        tally.locked += 1
                    continue
                try:
                    opened = archive.open(info, pwd=self._password if info.flag_bits & 1 else None)
                except _ERRORS as error:
                    tally.is_worth_a_row = True
                    yield refused(place, path, reason_of(error), info.file_size)
                    continue
                with opened:
                    own = Ratio(info.compress_size, LOG_BYTES)
                    stream = Forward(opened, _ERRORS, own, self._total, step=ZIP_READ_BYTES)
                    yield from self._look(place, path, stream, info.file_size, depth, tally)

    def _seven_zip(self, file: BinaryIO, place: str, depth: int, tally: _Tally) -> Walk:
        for path, member, reason in seven_zip_members(file, self._password):
            self._count_member()
            if member is None:
                tally.is_worth_a_row = True
                yield refused(place, shown_name(path), reason)
                continue
            stream = Forward(member, _ERRORS, Ratio(None, LOG_BYTES), self._total)
            yield from self._look(place, shown_name(path), stream, None, depth, tally)

    def _tar(self, file: BinaryIO, place: str, depth: int, tally: _Tally) -> Walk:
        with open_tar(file) as archive:
            for info in archive:
                self._count_member()
                archive.members = []  # type: ignore[attr-defined]  # not in the stubs; it would keep them all
                path = shown_name(info.name)
                if info.isdir():
                    continue
                if info.issparse():
                    tally.is_worth_a_row = True
                    yield refused(place, path, "a sparse file in a tar: not read, take it out of there first")
                    continue
                if not info.isfile():
                    if is_log_name(path):
                        tally.is_worth_a_row = True
                        is_link = info.issym() or info.islnk()
                        yield refused(place, path, "a link, not followed" if is_link else "not a regular file")
                    else:
                        tally.others += 1
                    continue
                member = archive.extractfile(info)
                assert member is not None  # it is a regular file
                stream = Forward(cast("BinaryIO", member), _ERRORS, Ratio(None, LOG_BYTES), self._total)
                yield from self._look(place, path, stream, info.size, depth, tally)

    def _compressed(self, file: BinaryIO, kind: ContainerKind, place: str, depth: int, tally: _Tally) -> Walk:
        own = Ratio(0)
        opened = open_compressed(cast("BinaryIO", Counting(file, own)), kind)
        stream = Forward(opened, _ERRORS, own, self._total)
        if container_kind(stream.peek_head(HEAD_BYTES), None) == "tar":
            yield from self._tar(cast("BinaryIO", stream), place, depth, tally)
            return
        self._count_member()
        name = PurePosixPath(place.rpartition("!")[2]).stem
        member = Forward(cast("BinaryIO", stream), (), Ratio(None, LOG_BYTES))
        yield from self._look(place, name, member, None, depth, tally)


def _refuse_large_directory(file: BinaryIO) -> None:
    """By what the end of the file says, as pyzipper reads it, which then takes so many bytes into memory.

    https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3.14 to 16.
    """
    end = pyzipper.zipfile._EndRecData(file)
    if end is None:
        raise MemberError("unreadable: a zip whose list of members is cut off or overwritten")
    if end[pyzipper.zipfile._ECD_SIZE] > DIRECTORY_BYTES:
        raise MemberError(f"refused: its list of members has more than {DIRECTORY_BYTES >> 20} MiB")
    file.seek(0)


def zip_tops(path: Path) -> set[str]:
    """The folders directly in a zip that hold something named like a log or an archive; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            _refuse_large_directory(file)
            with pyzipper.AESZipFile(file) as archive:
                names = [name.replace("\\", "/") for name in archive.namelist()]
    except (MemberError, *_ERRORS):
        return set()  # said when it is its turn to be read
    return {name.lstrip("/").partition("/")[0] for name in names if name.lower().endswith(_PROMISING)}
