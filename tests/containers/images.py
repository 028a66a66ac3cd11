"""Disk images for tests, made by the tools that others make theirs with."""

import os
import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

TOOLS = ("mkntfs", "ntfscp", "sfdisk", "qemu-img", "ewfacquire", "mke2fs")
_PARTITION_START = 1 << 20


def need_tools() -> None:
    """Skips, with the reason, where a tool is missing; in CI the test then fails by itself."""
    missing = [tool for tool in TOOLS if shutil.which(tool, path=_search_path()) is None]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"no {', '.join(missing)} here: make tools installs them on Debian as root")


def run(*command: str | Path, given: str | None = None, folder: Path | None = None) -> None:
    """Runs a tool, which must succeed."""
    environment = {**os.environ, "PATH": _search_path()}
    done = subprocess.run(
        [str(part) for part in command], input=given, text=True, capture_output=True, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stderr


def write_ntfs(image: Path, files: Mapping[str, bytes], size: int = 8 << 20) -> Path:
    """A volume with these files, by their paths in folders that every NTFS has; returned."""
    with image.open("wb") as file:
        file.truncate(size)
    run("mkntfs", "--quick", "--force", "--quiet", image)
    put_files(image, files)
    return image


def put_files(image: Path, files: Mapping[str, bytes]) -> None:
    """Writes files into an NTFS volume, over those that are there."""
    for name, data in files.items():
        source = image.with_suffix(".member")
        source.write_bytes(data)
        run("ntfscp", "--quiet", image, source, name)
        source.unlink()


def write_disk(disk: Path, volume: Path, label: str = "dos") -> Path:
    """A disk with the volume as its only partition; returned."""
    data = volume.read_bytes()
    with disk.open("wb") as file:
        file.truncate(_PARTITION_START + len(data) + (1 << 20))
    kind = ", type=7" if label == "dos" else ""
    run("sfdisk", "--quiet", disk, given=f"label: {label}\nstart=2048, size={len(data) // 512}{kind}\n")
    with disk.open("r+b") as file:
        file.seek(_PARTITION_START)
        file.write(data)
    return disk


def difference_to(parent: str, base: Path, image: Path) -> Path:
    """A VHD that grows, which has nothing in it but that it is the difference to `base` under that name; returned.

    https://learn.microsoft.com/windows/win32/vstor/about-vhd; qemu-img makes none of these.
    """
    data = bytearray(base.read_bytes())
    footer = data[-512:]
    (header,) = struct.unpack_from(">Q", footer, 16)
    (table,) = struct.unpack_from(">Q", data, header + 16)
    (entries,) = struct.unpack_from(">I", data, header + 28)
    del data[table + entries * 4 :]
    data[table:] = b"\xff" * (len(data) - table)
    data += bytes(-len(data) % 512)
    name = parent.encode("utf-16-be")
    data[header + 40 : header + 56] = footer[68:84]  # the identifier of the base
    data[header + 64 : header + 64 + len(name)] = name
    _put_checksum(data, header, 1024, 36)
    struct.pack_into(">I", footer, 60, 4)
    footer[68:84] = bytes(range(16))
    _put_checksum(footer, 0, 512, 64)
    data[:512] = footer
    image.write_bytes(data + footer)
    return image


def _put_checksum(data: bytearray, start: int, size: int, offset: int) -> None:
    struct.pack_into(">I", data, start + offset, 0)
    struct.pack_into(">I", data, start + offset, ~sum(data[start : start + size]) & 0xFFFFFFFF)


def _search_path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
