"""Makes a big corpus of valid logs: copies of real (else sample) logs with other computer names and right CRCs."""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from evtxhunt.chunk import CHUNK_MAGIC, CHUNK_SIZE, FILE_HEADER_SIZE, walk_chunk

REPOSITORY = Path(__file__).parent.parent


def seed_logs() -> list[Path]:
    """Undamaged logs to copy: the real ones of $EVTXHUNT_CORPORA (default ../shared), else the samples."""
    corpora = Path(os.environ.get("EVTXHUNT_CORPORA") or REPOSITORY.parent / "shared") / "corpora"
    root = corpora if corpora.is_dir() else REPOSITORY / "samples" / "demo"
    return sorted(root.rglob("*.evtx"))


def make_corpus(folder: Path, size: int, log_size: int = 64 * 2**20) -> tuple[list[Path], int]:
    """Writes logs of `log_size` bytes until they hold `size` bytes altogether: (paths, bytes)."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = [path for path in seed_logs() if path.name not in _TWINS]
    chunks = [chunk for path in seeds for chunk in _sound_chunks(path) if _renamed(chunk, 0) != chunk]
    header = seed_logs()[0].read_bytes()[:FILE_HEADER_SIZE]
    paths: list[Path] = []
    written, number = 0, 0
    while written < size:
        path = folder / f"log{len(paths):04d}.evtx"
        with path.open("wb") as file:
            file.write(header)
            while file.tell() < log_size and written + file.tell() < size:
                file.write(_renamed(chunks[number % len(chunks)], number // len(chunks)))
                number += 1
            written += file.tell()
        paths.append(path)
    return paths, written


def _sound_chunks(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    for offset in range(FILE_HEADER_SIZE, len(content) - CHUNK_SIZE + 1, CHUNK_SIZE):
        chunk = content[offset : offset + CHUNK_SIZE]
        if chunk.startswith(CHUNK_MAGIC) and walk_chunk(chunk).is_crc_valid:
            yield chunk


# Real logs with records that another of them has too: ordinary hosts have each record once.
_TWINS = {"security_bad_string_cache.evtx", "UACME_59_Sysmon.evtx"}

# Computer names that occur in the seeds; another name of the same length keeps every size and offset. A chunk with none
# of them would be seen as a copy of itself each time.
_NAMES = [
    "26L2233B1-02",
    "37L4247D28-05",
    "37L4247F27-25",
    "IE8WIN7",
    "IE9WIN7",
    "IE9Win7",
    "WIN-LL0C19JS506",
    "WIN-P4SIAA0SQCO",
    "DESKTOP-0QT8017",
    "DESKTOP-2KGM189",
    "DESKTOP-JR78RLP",
    "DESKTOP-M5SN04R",
    "DESKTOP-NTSSLJD",
    "IE10Win7",
    "IE8Win7",
    "LAPTOP-JU4M3I0E",
    "SEC511",
    "VALKYRIE.galactica.cc",
    "WIN-03DLIIOFRRA",
    "WIN-29U41M70JCO",
    "WIN-L0ZZQ76PMUF",
    "WIN-M5327EF98B9",
    "MSEDGEWIN10",
    "IEWIN7",
    "PC01.example.corp",
    "PC04.example.corp",
    "DESKTOP-1N4R894",
    "WIN-77LTAPHIQ1R",
    "SRV02",
]


def _renamed(chunk: bytes, round_number: int) -> bytes:
    data = bytearray(chunk)
    for name in _NAMES:
        other = f"{name[:-3]}{round_number % 1000:03d}"
        data = data.replace(name.encode("utf-16-le"), other.encode("utf-16-le"))
    end = int.from_bytes(data[48:52], "little")
    data[52:56] = zlib.crc32(data[512:end]).to_bytes(4, "little")
    data[124:128] = zlib.crc32(data[128:512], zlib.crc32(data[:120])).to_bytes(4, "little")
    return bytes(data)
