"""BinXML: templates, their instances, and the chunk memory that shares names and definitions.

Everything in a chunk refers to everything else by its offset from the chunk's start. So the writer appends
to the chunk itself: a name or a template definition stands inline where it is first used, and later uses
point back to it.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from samples.values import Value, ValueType

CHUNK_SIZE = 65536
CHUNK_HEADER_SIZE = 512
NAME_BUCKETS = 64
TEMPLATE_BUCKETS = 32
NO_DEPENDENCY = 0xFFFF

_LARGEST_VALUE = 0xFFFF
_NOTED = frozenset((ValueType.FILETIME, ValueType.GUID, ValueType.UINT64))

_FRAGMENT_HEADER = b"\x0f\x01\x01\x00"
_END_OF_STREAM = 0x00
_OPEN_ELEMENT = 0x01
_CLOSE_START = 0x02
_CLOSE_EMPTY = 0x03
_END_ELEMENT = 0x04
_VALUE_TEXT = 0x05
_ATTRIBUTE = 0x06
_TEMPLATE_INSTANCE = 0x0C
_SUBSTITUTION = 0x0D
_OPTIONAL_SUBSTITUTION = 0x0E
_MORE = 0x40  # on an element: it has attributes; on an attribute: another one follows


@dataclass(frozen=True, slots=True)
class Substitution:
    """A place in a template for value `index`. If it is optional, a null value removes what holds it."""

    index: int
    type: ValueType
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Attribute:
    name: str
    value: str | Substitution


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a template.

    `dependency` is the index of the value whose absence removes the element; `is_empty` closes it as
    `<a/>`, which Windows does for elements of attributes only, never for an EventData without fields.
    """

    name: str
    attributes: tuple[Attribute, ...] = ()
    children: "tuple[Element | Substitution | str, ...]" = ()
    dependency: int = NO_DEPENDENCY
    is_empty: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """A fragment with places for values. Its GUID follows from its content, so equal templates are one."""

    root: Element
    guid: bytes = field(init=False)

    def __post_init__(self) -> None:
        content = "\n".join(_describe(self.root)).encode()
        object.__setattr__(self, "guid", hashlib.blake2b(content, digest_size=16).digest())


@dataclass(frozen=True, slots=True)
class Instance:
    """A template with one value for each of its indices; a value may be a nested instance."""

    template: Template
    values: "tuple[Value | Instance, ...]"


def _describe(node: Element | Substitution | str) -> Iterator[str]:
    if isinstance(node, str):
        yield f"text {node!r}"
    elif isinstance(node, Substitution):
        yield f"substitution {node.index} {int(node.type)} {node.is_optional}"
    else:
        yield f"element {node.name} {node.dependency} {node.is_empty}"
        for attribute in node.attributes:
            yield f"attribute {attribute.name}"
            yield from _describe(attribute.value)
        for child in node.children:
            yield from _describe(child)
        yield "end"


def _hash(units: tuple[int, ...]) -> int:
    """The hash of names and template GUIDs, taken over their 16-bit units."""
    total = 0
    for unit in units:
        total = (total * 65599 + unit) & 0xFFFFFFFF
    return total


def hash_name(name: str) -> int:
    """16-bit hash of an element or attribute name; its low 6 bits choose the bucket."""
    data = name.encode("utf-16-le")
    return _hash(struct.unpack(f"<{len(data) // 2}H", data)) & 0xFFFF


def hash_template(guid: bytes) -> int:
    """Bucket number of a template GUID."""
    return _hash(struct.unpack("<8H", guid)) % TEMPLATE_BUCKETS


@dataclass(frozen=True, slots=True)
class Mark:
    """What `Memory.rollback` needs to forget everything that was written later."""

    size: int
    name_heads: tuple[int, ...]
    template_heads: tuple[int, ...]


class Memory:
    """The bytes of one chunk while it is written, with its name and template tables.

    A bucket's head points to its newest entry, each entry to the one before.
    """

    def __init__(self) -> None:
        self.data = bytearray(CHUNK_HEADER_SIZE)
        self.name_heads = [0] * NAME_BUCKETS
        self.template_heads = [0] * TEMPLATE_BUCKETS
        # Where values of `_NOTED` begin, for those who change a finished chunk.
        self.places: list[tuple[ValueType, int]] = []
        self._names: dict[str, int] = {}
        self._templates: dict[bytes, int] = {}

    def mark(self) -> Mark:
        return Mark(len(self.data), tuple(self.name_heads), tuple(self.template_heads))

    def rollback(self, mark: Mark) -> None:
        del self.data[mark.size :]
        self.name_heads = list(mark.name_heads)
        self.template_heads = list(mark.template_heads)
        self._names = {name: at for name, at in self._names.items() if at < mark.size}
        self._templates = {guid: at for guid, at in self._templates.items() if at < mark.size}
        self.places = [place for place in self.places if place[1] < mark.size]

    def write_instance(self, instance: Instance) -> None:
        """Append one fragment that holds a template instance, with its end of stream.

        ValueError if a value, such as the whole EventData, is too long for its 16-bit size.
        """
        self.data += _FRAGMENT_HEADER
        self._write_template(instance.template)
        values = instance.values
        self.data += struct.pack("<I", len(values))
        descriptors = len(self.data)
        self.data += bytes(4 * len(values))
        for index, value in enumerate(values):
            start = len(self.data)
            if isinstance(value, Value):
                kind = value.type
                if kind in _NOTED:
                    self.places.append((kind, start))
                self.data += value.data
            else:
                kind = ValueType.BINXML
                self.write_instance(value)
            size = len(self.data) - start
            if size > _LARGEST_VALUE:
                raise ValueError(f"a value of {size} bytes, more than {_LARGEST_VALUE}")
            struct.pack_into("<HBx", self.data, descriptors + 4 * index, size, kind)
        self.data.append(_END_OF_STREAM)

    def _write_template(self, template: Template) -> None:
        """Append the instance token; the definition follows it at its first use in the chunk."""
        identifier = template.guid[:4]
        offset = self._templates.get(template.guid)
        if offset is not None:
            self.data += struct.pack("<BB4sI", _TEMPLATE_INSTANCE, 1, identifier, offset)
            return
        offset = len(self.data) + 10
        bucket = hash_template(template.guid)
        self.data += struct.pack("<BB4sI", _TEMPLATE_INSTANCE, 1, identifier, offset)
        self.data += struct.pack("<I16sI", self.template_heads[bucket], template.guid, 0)
        self._templates[template.guid] = offset
        self.template_heads[bucket] = offset
        self.data += _FRAGMENT_HEADER
        self._write_node(template.root)
        self.data.append(_END_OF_STREAM)
        self._patch_size(offset + 20)

    def _write_node(self, node: Element | Substitution | str) -> None:
        if isinstance(node, Element):
            self._write_element(node)
        elif isinstance(node, Substitution):
            token = _OPTIONAL_SUBSTITUTION if node.is_optional else _SUBSTITUTION
            self.data += struct.pack("<BHB", token, node.index, node.type)
        else:
            text = node.encode("utf-16-le")
            self.data += struct.pack("<BBH", _VALUE_TEXT, ValueType.STRING, len(text) // 2) + text

    def _write_element(self, element: Element) -> None:
        more = _MORE if element.attributes else 0
        self.data += struct.pack("<BHI", _OPEN_ELEMENT | more, element.dependency, 0)
        size_at = len(self.data) - 4
        self._write_name(element.name)
        if element.attributes:
            self.data += bytes(4)
            list_size_at = len(self.data) - 4
            last = len(element.attributes) - 1
            for number, attribute in enumerate(element.attributes):
                self.data.append(_ATTRIBUTE | (_MORE if number < last else 0))
                self._write_name(attribute.name)
                self._write_node(attribute.value)
            self._patch_size(list_size_at)
        if element.is_empty:
            self.data.append(_CLOSE_EMPTY)
        else:
            self.data.append(_CLOSE_START)
            for child in element.children:
                self._write_node(child)
            self.data.append(_END_ELEMENT)
        self._patch_size(size_at)

    def _write_name(self, name: str) -> None:
        """Append a reference to a name; the name itself follows at its first use in the chunk."""
        offset = self._names.get(name)
        if offset is not None:
            self.data += struct.pack("<I", offset)
            return
        offset = len(self.data) + 4
        name_hash = hash_name(name)
        bucket = name_hash % NAME_BUCKETS
        text = name.encode("utf-16-le")
        self.data += struct.pack("<IIHH", offset, self.name_heads[bucket], name_hash, len(text) // 2)
        self.data += text + b"\0\0"
        self._names[name] = offset
        self.name_heads[bucket] = offset

    def _patch_size(self, at: int) -> None:
        """Fill the 32-bit size field at `at`: all that was written after it."""
        struct.pack_into("<I", self.data, at, len(self.data) - at - 4)
