"""Tells archives and disk images by their first bytes."""

import struct
from typing import Literal

ContainerKind = Literal["zip", "tar", "gzip", "bzip2", "xz", "zstd", "7z", "image", "image part"]

HEAD_BYTES = 1024  # what `container_kind` wants to see of a file
_MAGICS: tuple[tuple[bytes, ContainerKind], ...] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),  # of no members
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"EVF2\r\n\x81\x00", "image"),  # Ex01: https://github.com/libyal/libewf/tree/main/documentation
    (b"vhdxfile", "image"),
    (
        b"conectix",
        "image",
    ),  # VHD that grows; one of fixed size begins as the disk does
    (b"KDMV", "image"),  # VMDK
    (b"# Disk DescriptorFile", "image"),  # VMDK that is in several files
    (b"QFI\xfb", "image"),  # QCOW2
)
_EWF = b"EVF\x09\x0d\x0a\xff\x00"  # E01
_SMALLEST_DISK = 1 << 20
_SECTOR = 512


def container_kind(head: bytes, size: int | None) -> ContainerKind | None:
    """What a file of `size` bytes (None: unknown) that begins with `head` is; None: no archive and no disk image."""
    for magic, kind in _MAGICS:
        if head.startswith(magic):
            return kind
    if head.startswith(_EWF) and len(head) >= 11:
        return "image" if struct.unpack_from("<H", head, 9)[0] == 1 else "image part"
    if head[257:262] == b"ustar":
        return "tar"
    is_disk = (size is None or size >= _SMALLEST_DISK) and _is_disk(head)
    return "image" if is_disk else None


def _is_disk(head: bytes) -> bool:
    """Whether there is a boot sector of NTFS, or a partition table that could be one, as before a GPT."""
    if len(head) < _SECTOR or head[510:512] != b"\x55\xaa":
        return False
    if head[3:11] in (b"NTFS    ", b"-FVE-FS-"):
        return True
    entries = [head[at : at + 16] for at in range(446, 510, 16)]
    used = [entry for entry in entries if entry[4]]
    return bool(used) and all(entry[0] in (0, 0x80) and struct.unpack_from("<I", entry, 12)[0] > 0 for entry in used)
