"""The bytes of an EVTX file as they stand: headers, tables, templates and value types.

Independent of the writer and of the parsers, so that the writer's structure can be held against real files.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from pathlib import Path

CHUNK_SIZE = 65536
BINXML = 0x21
NULL = 0x00


@dataclass(frozen=True, slots=True)
class Node:
    """One step through a template: an element with its dependency, an attribute, a text or a substitution."""

    kind: str
    name: str = ""
    number: int = 0
    declared_type: int = 0


@dataclass(frozen=True, slots=True)
class Tree:
    """A template instance: its nodes in order, and the (type, bytes or nested tree) of its values."""

    guid: bytes
    nodes: tuple[Node, ...]
    values: "tuple[tuple[int, bytes | Tree], ...]"

    @property
    def inner(self) -> "Tree":
        """The EventData or UserData instance inside a System instance."""
        nested = [value for kind, value in self.values if kind == BINXML and isinstance(value, Tree)]
        assert len(nested) == 1
        return nested[0]


class Chunk:
    def __init__(self, data: bytes) -> None:
        self.data = data
        (
            self.magic,
            self.first_number,
            self.last_number,
            self.first_id,
            self.last_id,
            self.header_size,
            self.last_offset,
            self.free_offset,
            self.data_checksum,
        ) = struct.unpack_from("<8sQQQQIIII", data)
        self.flags, self.header_checksum = struct.unpack_from("<II", data, 120)
        self.name_heads: tuple[int, ...] = struct.unpack_from("<64I", data, 128)
        self.template_heads: tuple[int, ...] = struct.unpack_from("<32I", data, 384)

    def has_valid_checksums(self) -> bool:
        header = zlib.crc32(self.data[:120] + self.data[128:512])
        return header == self.header_checksum and zlib.crc32(self.data[512 : self.free_offset]) == self.data_checksum

    def records(self) -> Iterator[tuple[int, int, int]]:
        """(offset, size, header record id) of each record in live space."""
        offset = 512
        while offset < self.free_offset:
            magic, size, record_id = struct.unpack_from("<IIQ", self.data, offset)
            assert magic == 0x2A2A
            assert struct.unpack_from("<I", self.data, offset + size - 4) == (size,)
            yield offset, size, record_id
            offset += size
        assert offset == self.free_offset

    def name_chains(self) -> Iterator[tuple[int, int, str, int]]:
        """(bucket, offset, name, hash) of every name the string table leads to."""
        for bucket, head in enumerate(self.name_heads):
            offset = head
            while offset:
                following, name_hash = struct.unpack_from("<IH", self.data, offset)
                yield bucket, offset, self.name(offset)[0], name_hash
                offset = following

    def template_chains(self) -> Iterator[tuple[int, int, bytes]]:
        """(bucket, offset, GUID) of every template definition the template table leads to."""
        for bucket, head in enumerate(self.template_heads):
            offset = head
            while offset:
                yield bucket, offset, self.data[offset + 4 : offset + 20]
                (offset,) = struct.unpack_from("<I", self.data, offset)

    def name(self, offset: int) -> tuple[str, int]:
        """A name and the size of its entry."""
        (length,) = struct.unpack_from("<H", self.data, offset + 6)
        return self.data[offset + 8 : offset + 8 + 2 * length].decode("utf-16-le"), 10 + 2 * length

    def tree(self, record_offset: int) -> Tree:
        return self._instance(record_offset + 24)[0]

    def _instance(self, offset: int) -> tuple[Tree, int]:
        data = self.data
        # Some records of Windows 7 have no fragment header before the inner instance.
        if data[offset] != 0x0F:
            offset -= 4
        token, _, _, definition = struct.unpack_from("<BBII", data, offset + 4)
        assert token == 0x0C, "template instance"
        size: int = struct.unpack_from("<I", data, definition + 20)[0]
        offset += 14
        if definition == offset:
            offset += 24 + size
        nodes = tuple(self._nodes(definition + 24, definition + 24 + size))
        (count,) = struct.unpack_from("<I", data, offset)
        start = offset + 4 + 4 * count
        values: list[tuple[int, bytes | Tree]] = []
        for position in range(count):
            length, kind = struct.unpack_from("<HB", data, offset + 4 + 4 * position)
            nested = self._instance(start)[0] if kind == BINXML else data[start : start + length]
            values.append((kind, nested))
            start += length
        return Tree(data[definition + 4 : definition + 20], nodes, tuple(values)), start

    def _nodes(self, offset: int, end: int) -> Iterator[Node]:
        data = self.data
        while offset < end:
            token = data[offset]
            base = token & 0x0F
            if token == 0x0F:
                offset += 4
            elif base == 0x01:
                dependency, _, at = struct.unpack_from("<HII", data, offset + 1)
                offset += 11
                name, size = self.name(at)
                offset += size if at == offset else 0
                offset += 4 if token & 0x40 else 0
                yield Node("element", name, dependency)
            elif base == 0x05:
                (length,) = struct.unpack_from("<H", data, offset + 2)
                yield Node("text", data[offset + 4 : offset + 4 + 2 * length].decode("utf-16-le"))
                offset += 4 + 2 * length
            elif base == 0x06:
                (at,) = struct.unpack_from("<I", data, offset + 1)
                offset += 5
                name, size = self.name(at)
                offset += size if at == offset else 0
                yield Node("attribute", name, token >> 6)
            elif base in (0x0D, 0x0E):
                number, kind = struct.unpack_from("<HB", data, offset + 1)
                yield Node("optional" if base == 0x0E else "substitution", "", number, kind)
                offset += 4
            else:
                assert base in (0x00, 0x02, 0x03, 0x04), f"token {token:#x} at {offset:#x}"
                yield Node("token", "", token)
                offset += 1


def read_chunks(data: bytes) -> list[Chunk]:
    offsets = range(4096, len(data) - CHUNK_SIZE + 1, CHUNK_SIZE)
    chunks = [Chunk(data[offset : offset + CHUNK_SIZE]) for offset in offsets]
    return [chunk for chunk in chunks if chunk.magic == b"ElfChnk\0"]


def read_tree(path: Path, header_record_id: int) -> Tree:
    """The structure of one record of a file."""
    for chunk in read_chunks(path.read_bytes()):
        for offset, _, record_id in chunk.records():
            if record_id == header_record_id:
                return chunk.tree(offset)
    raise LookupError(f"{path}: no record {header_record_id}")


def real_fields(
    path: Path, event_ids: set[int]
) -> Iterator[tuple[tuple[str, str, int, int], tuple[tuple[str, int], ...]]]:
    """(channel, provider, event id, version) and the (name, declared type) of the fields of a file's records.

    Records that do not have one of the two forms of System block that Windows writes today are left out.
    """
    for chunk in read_chunks(path.read_bytes()):
        try:
            trees = [chunk.tree(offset) for offset, _, _ in chunk.records()]
        except (AssertionError, struct.error, UnicodeDecodeError, IndexError):
            continue  # damaged on purpose
        for tree in trees:
            if len(tree.values) not in (18, 20):
                continue
            event_id = int.from_bytes(_bytes(tree.values[3]), "little")
            payloads = [value for kind, value in tree.values if kind == BINXML and isinstance(value, Tree)]
            if event_id in event_ids and len(payloads) == 1:
                version = int.from_bytes(_bytes(tree.values[11]), "little")
                yield (*_place(tree), event_id, version), tuple(_fields(payloads[0]))


def _bytes(value: "tuple[int, bytes | Tree]") -> bytes:
    return value[1] if isinstance(value[1], bytes) and value[0] != NULL else b""


def _place(tree: Tree) -> tuple[str, str]:
    """Channel and provider, which are values of the shared template and texts of the other."""
    if len(tree.values) == 18:
        provider, channel = (_bytes(tree.values[index]).decode("utf-16-le") for index in (14, 16))
        return channel, provider
    names = [(before.name, node.name) for before, node in pairwise(_named(tree.nodes)) if node.kind == "text"]
    return dict(names).get("Channel", ""), dict(names).get("Name", "")


def _named(nodes: tuple[Node, ...]) -> list[Node]:
    return [node for node in nodes if node.kind in ("element", "attribute", "text")]


def _fields(payload: Tree) -> Iterator[tuple[str, int]]:
    """Data is known by its Name, any other element by its own."""
    name = ""
    for node in payload.nodes:
        if (node.kind == "element" and node.name != "Data") or node.kind == "text":
            name = node.name
        elif node.kind in ("substitution", "optional"):
            yield name, node.declared_type


def hash_units(data: bytes) -> int:
    """The hash of names and template GUIDs: over 16-bit units, times 65599."""
    units = struct.unpack(f"<{len(data) // 2}H", data)
    return reduce(lambda total, unit: (total * 65599 + unit) & 0xFFFFFFFF, units, 0)
