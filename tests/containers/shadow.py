"""Writes a shadow copy into an NTFS volume, by the format's description and not by Windows.

https://github.com/libyal/libvshadow/blob/main/documentation/Volume%20Shadow%20Snapshot%20(VSS)%20format.asciidoc
"""

import struct
import uuid

BLOCK = 0x4000
_VSS = uuid.UUID("3808876b-c176-4e48-b7ae-04046e6cc752").bytes_le
_VOLUME = uuid.UUID("11111111-0000-0000-0000-000000000001").bytes_le
_STORE = uuid.UUID("22222222-0000-0000-0000-000000000002").bytes_le
_CREATED = 133_000_000_000_000_000  # FILETIME, 100 ns since 1601-01-01 UTC


def with_shadow_copy(now: bytes, then: bytes, free: int) -> bytes:
    """The volume `now` with a shadow copy of what it was `then`; from offset `free` on nothing must be in it."""
    assert len(now) == len(then)
    changed = [at for at in range(0, len(now), BLOCK) if now[at : at + BLOCK] != then[at : at + BLOCK]]
    catalog, header, blocks, ranges, bitmap, data = (free + number * BLOCK for number in range(6))
    end = data + len(changed) * BLOCK
    assert not any(now[free:end]), "the volume is too full"
    assert changed[-1] < free
    volume = bytearray(now)

    def put(at: int, *parts: bytes) -> None:
        block = b"".join(parts)
        volume[at : at + len(block)] = block

    def block_header(kind: int, at: int, relative: int, information_size: int = 0) -> bytes:
        return struct.pack("<16sIIQQQQ72x", _VSS, 1, kind, relative, at, 0, information_size)

    put(0x1E00, struct.pack("<16sIIQQQQQ16s16sI", _VSS, 1, 1, 0x1E00, 0x1E00, 0, catalog, 0, _VOLUME, _VOLUME, 0))
    put(
        catalog,
        struct.pack("<16sIIQQQ80x", _VSS, 1, 2, 0, catalog, 0),
        struct.pack("<QQ16sQQQ72x", 2, len(now), _STORE, 1, 0x40, _CREATED),
        struct.pack("<QQ16sQQQQQQQ40x", 3, blocks, _STORE, header, ranges, bitmap, 0, end - header, 0, 0),
    )
    machine = "WS01".encode("utf-16-le")
    name = struct.pack("<H", len(machine)) + machine
    information = struct.pack("<16s16s16sIII4x", _VOLUME, _STORE, _STORE, 9, 0, 0x420009) + name + name
    put(header, block_header(4, header, 0, len(information)), information)
    copies = [(at, data + number * BLOCK) for number, at in enumerate(changed)]
    descriptors = [struct.pack("<QQQII", at, copy - header, copy, 0, 0) for at, copy in copies]
    put(blocks, block_header(3, blocks, blocks - header), *descriptors)
    put(ranges, block_header(5, ranges, ranges - header), struct.pack("<QQQ", header, 0, end - header))
    put(bitmap, block_header(6, bitmap, bitmap - header))  # every block is in use
    for at, copy in copies:
        put(copy, then[at : at + BLOCK])
    return bytes(volume)
