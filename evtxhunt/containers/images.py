"""Disk images by dfvfs: event logs in all file systems of all partitions and shadow copies, nothing mounted."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyqcow
import pyvhdi
import pyvshadow
from dfvfs.analyzer import analyzer
from dfvfs.helpers import volume_scanner
from dfvfs.lib import definitions, errors
from dfvfs.path import factory
from dfvfs.resolver import context, resolver

from evtxhunt.chunk import FILE_MAGIC
from evtxhunt.containers.found import FoundLog, Walk, is_log_name, refused, shown_name
from evtxhunt.containers.limits import LOG_BYTES, Forward, MemberError, Ratio, reason_of
from evtxhunt.model import place_in

# The libraries below dfvfs raise OSError for damaged images, and the rest where they trust what they read.
_ERRORS = (
    errors.Error,
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    struct.error,
)
_DEPTH = 256  # of folders
_MOST_PARENTS = 64  # of an image, one the difference to the other; virtual machines have them by their snapshots
# https://github.com/libyal/libvshadow/blob/main/documentation/Volume%20Shadow%20Snapshot%20(VSS)%20format.asciidoc
_VSS_OFFSET = 0x1E00
_VSS_MAGIC = bytes.fromhex("6b87083876c1484eb7ae04046e6cc752")
_LOG_FOLDER = ["winevt", "logs"]


def walk_image(path: Path, place: str) -> Walk:
    """Every log in the image at `path`, and what is not read, by volume and path; last, a row for the image itself.

    Looked into are files named .evtx and all those in a folder winevt/Logs. Further parts of a split image are found
    beside the first one.
    """
    walk = _ImageWalk()
    reasons: list[str] = []
    try:
        _refuse_parts_elsewhere(path)
        yield from walk.volumes(path, place)
    except MemberError as error:
        reasons.append(str(error))
    except _ERRORS as error:
        reasons.append(reason_of(error))
    reasons += [f"encrypted, not read: volume {name}" for name in walk.locked]
    reasons += walk.unreadable
    if not walk.has_file_system and not reasons:
        reasons.append("a disk image in which no file system is known")
    elif not walk.logs and not reasons:
        reasons.append(f"no event log among its members: {walk.others:,}")
    if reasons:
        yield refused(place, "", "; ".join(reasons))


def _refuse_parts_elsewhere(path: Path) -> None:
    """An image may be the difference to another one, and a hostile one may name any file of this computer for it.

    Raises MemberError unless all are in one folder, and what the libraries do. dfvfs itself looks beside the image for
    the other files of a VMDK, a raw image or an E01.
    """
    spec = factory.Factory.NewPathSpec(definitions.TYPE_INDICATOR_OS, location=str(path.absolute()))
    # The parents are opened as the image is, whatever they are.
    for kind in analyzer.Analyzer.GetStorageMediaImageTypeIndicators(spec):
        image = path
        for _ in range(_MOST_PARENTS):
            parent = _parent_name(image, kind)
            if not parent:
                break
            if "/" in parent or "\\" in parent:
                raise MemberError(f"refused: it is the difference to an image in another folder, {shown_name(parent)}")
            image = image.with_name(parent)
            if not image.is_file():  # dfvfs would read zeros in its place
                raise MemberError(f"unreadable: it is the difference to an image not beside it, {shown_name(parent)}")
        else:
            raise MemberError(f"refused: more than {_MOST_PARENTS} images, each the difference to the next")


def _parent_name(path: Path, kind: str) -> str:
    """The name under which dfvfs looks for the image that this one is the difference to, or none."""
    with path.open("rb") as file:
        if kind == definitions.TYPE_INDICATOR_QCOW:
            qcow = pyqcow.file()
            qcow.open_file_object(file)
            name = qcow.backing_filename
            qcow.close()
        elif kind == definitions.TYPE_INDICATOR_VHDI:
            vhdi = pyvhdi.file()
            vhdi.open_file_object(file)
            name = vhdi.parent_filename.rpartition("\\")[2] if vhdi.parent_identifier else None
            vhdi.close()
        else:
            name = None
    return cast("str", name or "")


class _ImageWalk:
    def __init__(self) -> None:
        self.has_file_system = False
        self.locked: list[str] = []
        self.unreadable: list[str] = []  # shadow copies
        self.logs = 0
        self.others = 0
        self._context = context.Context()

    def volumes(self, path: Path, place: str) -> Walk:
        """Raises what dfvfs does where the image as such cannot be read."""
        options = volume_scanner.VolumeScannerOptions()
        options.partitions = options.snapshots = options.volumes = ["all"]
        scanner = volume_scanner.VolumeScanner(_Mediator(self.locked))
        specs = scanner.GetBasePathSpecs(str(path), options)
        # Where dfvfs knows no file system it gives the path of the image back, which as a file system is that of the
        # computer it runs on.
        found = [(_volume_name(spec), spec) for spec in specs if spec.parent is not None]
        for name, spec in sorted(found, key=lambda item: item[0]):
            self.has_file_system = True
            container = place_in(place, "!".join(name))
            try:
                if spec.type_indicator == definitions.TYPE_INDICATOR_NTFS:
                    self._try_shadow_copies(spec.parent, "!".join(name))
                yield from self._file_system(spec, container)
            except _ERRORS as error:
                yield refused(container, "", reason_of(error))

    def _try_shadow_copies(self, volume: Any, name: str) -> None:
        """Notes where there are shadow copies that cannot be read: dfvfs is silent about them."""
        if volume.type_indicator == definitions.TYPE_INDICATOR_VSHADOW:
            return
        try:
            file = resolver.Resolver.OpenFileObject(volume, resolver_context=self._context)
            file.seek(_VSS_OFFSET)
            if file.read(len(_VSS_MAGIC)) != _VSS_MAGIC:
                return
            shadow = pyvshadow.volume()
            shadow.open_file_object(file)
            shadow.close()
        except OSError as error:
            what = f"shadow copies of volume {name}" if name else "its shadow copies"
            self.unreadable.append(reason_of(error).replace(": ", f": {what}: ", 1))

    def _file_system(self, spec: Any, container: str) -> Walk:
        file_system = resolver.Resolver.OpenFileSystem(spec, resolver_context=self._context)
        stack = [("", self._entries(file_system.GetRootFileEntry()))]
        folders = set()
        while stack:
            folder, entries = stack[-1]
            try:
                entry = next(entries, None)
            except _ERRORS as error:
                stack.pop()
                yield refused(container, folder or "/", reason_of(error))
                continue
            if entry is None:
                stack.pop()
                continue
            path = f"{folder}/{shown_name(entry.name)}"
            if entry.IsDirectory():
                number = getattr(entry.path_spec, "mft_entry", None) or getattr(entry.path_spec, "inode", None) or path
                if number in folders:
                    continue  # a damaged folder that holds itself
                folders.add(number)
                if len(stack) == _DEPTH:
                    yield refused(container, path, f"refused: more than {_DEPTH} folders within one another")
                else:
                    stack.append((path, self._entries(entry)))
            elif is_log_name(path) or folder.lower().split("/")[-2:] == _LOG_FOLDER:
                yield from self._look(container, path, entry)
            else:
                self.others += 1

    def _entries(self, entry: Any) -> Iterator[Any]:
        yield from sorted(entry.sub_file_entries, key=lambda child: cast("str", child.name))

    def _look(self, container: str, path: str, entry: Any) -> Walk:
        try:
            if not entry.IsFile():
                reason = "a link, not followed" if entry.IsLink() else "not a regular file"
                yield refused(container, path, reason)
                return
            stream = Forward(cast("BinaryIO", entry.GetFileObject()), _ERRORS, Ratio(None, LOG_BYTES))
            head = stream.peek_head(len(FILE_MAGIC))
        except MemberError as error:
            yield refused(container, path, str(error))
            return
        except _ERRORS as error:
            yield refused(container, path, reason_of(error))
            return
        if head == FILE_MAGIC:
            self.logs += 1
            yield FoundLog(container, path, stream)
        elif is_log_name(path):
            yield refused(container, path, "not an event log, though named .evtx" if head else "empty")
        else:
            self.others += 1


class _Mediator(volume_scanner.VolumeScannerMediator):  # type: ignore[misc]  # dfvfs is untyped
    """Takes every volume, and notes those that are encrypted."""

    def __init__(self, locked: list[str]) -> None:
        self._locked = locked

    def UnlockEncryptedVolume(
        self, source_scanner_object: Any, scan_context: Any, locked_scan_node: Any, credentials: Any
    ) -> bool:
        """Leaves it locked."""
        self._locked.append("!".join(_volume_name(locked_scan_node.path_spec)) or "of the whole image")
        return False

    def PrintWarning(self, warning: str) -> None:
        """Nothing: what is missing shows in what is found."""

    def GetAPFSVolumeIdentifiers(self, volume_system: Any, volume_identifiers: list[str]) -> list[str]:
        """All."""
        return volume_identifiers

    def GetLVMVolumeIdentifiers(self, volume_system: Any, volume_identifiers: list[str]) -> list[str]:
        """All."""
        return volume_identifiers

    def GetPartitionIdentifiers(self, volume_system: Any, volume_identifiers: list[str]) -> list[str]:
        """All."""
        return volume_identifiers

    def GetVSSStoreIdentifiers(self, volume_system: Any, volume_identifiers: list[str]) -> list[str]:
        """All."""
        return volume_identifiers


def _volume_name(spec: Any) -> list[str]:
    """How dfvfs calls partition and shadow copy of a file system, outermost first: p1, vss2."""
    names = []
    inner = spec.parent
    while inner is not None and inner.parent is not None:  # the outermost is the file of the image
        location = getattr(inner, "location", None)
        if location:
            names.append(location.strip("/\\"))
        inner = inner.parent
    return [name for name in reversed(names) if name]
