"""Tar archives by tarfile, which is made to say where it stops, and to hold no more than it needs."""

import tarfile
from typing import Any, BinaryIO, cast

from evtxhunt.containers.limits import MemberError, UnreadableError

_MOST_NAME_BYTES = 1 << 20
# Headers that tarfile reads into memory for the member after them, XGLTYPE for all.
_NAMING = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


def open_tar(file: BinaryIO) -> tarfile.TarFile:
    """The members as they come, also those of archives that follow in the same file.

    A sparse member has no content. Going on raises MemberError where there is no member and no end, and TarError.
    """
    return _Tar.open(fileobj=file, mode="r|")


class _TarInfo(tarfile.TarInfo):
    """A member; its methods with an underscore are those that tarfile means to be overridden, and not in the stubs."""

    _sparse_structs: tuple[object, bool, int]

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str | None, errors: str) -> "_TarInfo":
        """As of tarfile, but the last block of zeros may be cut off."""
        if buf and not any(buf):
            raise tarfile.EOFHeaderError("end of file header")  # type: ignore[attr-defined]  # not in the stubs
        return super().frombuf(buf, encoding, errors)  # type: ignore[arg-type]  # stubs: str

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> "_TarInfo":
        """The next member. tarfile takes whatever is no header for the end of the archive."""
        archive = cast("_Tar", tarfile_)
        try:
            found = super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # not in the stubs
            archive.has_ended = True
            raise
        except tarfile.HeaderError as error:
            if archive.has_ended and isinstance(error, tarfile.EmptyHeaderError):  # type: ignore[attr-defined]
                raise
            reason = f"neither a member nor the end of the tar at byte {archive.offset:,}: {error}"
            raise UnreadableError(f"unreadable: {reason}") from error
        archive.has_ended = False
        return found

    def _proc_member(self, archive: "_Tar") -> tarfile.TarInfo:
        if self.type not in _NAMING:
            return cast("tarfile.TarInfo", super()._proc_member(archive))  # type: ignore[misc]
        archive.name_bytes += self.size
        if self.size < 0 or archive.name_bytes > _MOST_NAME_BYTES:
            raise MemberError("refused: a name or an attribute of more than 1 MiB")
        try:
            return cast("tarfile.TarInfo", super()._proc_member(archive))  # type: ignore[misc]
        finally:
            if self.type != tarfile.XGLTYPE:
                archive.name_bytes -= self.size

    def _proc_sparse(self, archive: Any) -> tarfile.TarInfo:
        """Passes over the map of a sparse file, which has no bounds."""
        is_extended = self._sparse_structs[1]
        while is_extended:
            is_extended = archive.fileobj.read(tarfile.BLOCKSIZE)[504:505] not in (b"", b"\0")
        self.sparse = []  # type: ignore[assignment]  # stubs: bytes
        return cast("tarfile.TarInfo", self._proc_builtin(archive))  # type: ignore[attr-defined]

    def _proc_gnusparse_10(self, member: Any, pax_headers: object, archive: object) -> None:
        """As `_proc_sparse`; maps in pax headers, of older versions, are within the bounds of those."""
        member.sparse = []


class _Tar(tarfile.TarFile):
    """What is behind an end marker is looked at, too."""

    tarinfo = _TarInfo
    ignore_zeros = True
    has_ended = False  # there was an end marker, and no member since
    name_bytes = 0  # of names and attributes that are held now
