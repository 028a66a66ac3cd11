"""Renders single records of a chunk to the very JSON that the fast parser writes, whatever is broken around them.

The second parser: slow, strict, bounded, and built for remains. It knows whether what a record refers to (its
template, its names) is still what the record was written with, and says so instead of guessing. Layout: MS-EVEN6
2.2.12 to 2.2.18 and libyal's "Windows XML Event Log (EVTX) format"; that both parsers agree to the byte is tested on
every real record.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from evtxhunt.binxml_json import JsonWriter
from evtxhunt.binxml_nodes import Element, Node, Place, StaleRecordError, UnreadableRecordError
from evtxhunt.binxml_values import DEFAULT_ANSI_CODEC, Value, decode_value, json_text
from evtxhunt.chunk import CHUNK_SIZE, RECORD_HEADER_SIZE

# What reading bytes that are something else can end in, beside what is looked at on purpose.
_MISREAD = (struct.error, IndexError, OverflowError, RecursionError)
# Real records nest 7 elements deep and have 300 nodes; who writes more wants to do harm.
_MOST_DEPTH = 64  # of elements in one stream of tokens, and of streams in one another
_MOST_NODES = 20_000
_BYTES_A_NODE = 16  # a long text or name counts as so many nodes more
_MOST_VALUES = 4096

_END, _CLOSE_START, _CLOSE_EMPTY, _END_ELEMENT = 0x00, 0x02, 0x03, 0x04
_OPEN, _VALUE, _ATTRIBUTE, _CDATA, _CHARACTER, _ENTITY = 0x01, 0x05, 0x06, 0x07, 0x08, 0x09
_PI_TARGET, _PI_DATA, _TEMPLATE, _SUBSTITUTION, _OPTIONAL, _FRAGMENT = 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F
_MORE = 0x40  # on an element: it has attributes; on an attribute or value: another one follows
_STRING, _BINXML = 0x01, 0x21

_SIZE_COPY = 4  # bytes behind the content of a record
_ENTITIES = {"quot": '"', "apos": "'", "amp": "&", "lt": "<", "gt": ">"}


@dataclass(frozen=True, slots=True)
class RenderedRecord:
    """A record's JSON, and the lowest chunk offset of what it refers to outside of itself (None: nothing).

    `is_borrowed`: its template is from another chunk.
    """

    text: str
    refers_to: int | None
    is_borrowed: bool


class RecordRenderer:
    """Renders records of one chunk of CHUNK_SIZE bytes, of which only what they refer to must be sound."""

    def __init__(
        self,
        chunk: bytes,
        ansi_codec: str = DEFAULT_ANSI_CODEC,
        find_template: "Callable[[int], list[Node] | None] | None" = None,
    ) -> None:
        """`find_template` gives the nodes of a template by its id, where the chunk has lost it."""
        self._chunk = chunk
        self._ansi_codec = ansi_codec
        self._find_template = find_template
        self._is_borrowed = False
        self.work = 0  # nodes of all records so far
        self._nodes = 0
        self._open_templates: set[int] = set()
        self._refers_to: int | None = None
        self._record = range(0)
        self._names: dict[int, tuple[str, int]] = {}  # offset -> name, units

    def render(self, offset: int, size: int) -> RenderedRecord:
        """The record whose header is at `offset` and says `size` bytes.

        Raises StaleRecordError, UnreadableRecordError.
        """
        self._nodes = 0
        self._open_templates.clear()
        self._refers_to = None
        self._is_borrowed = False
        self._record = range(offset, min(offset + size, CHUNK_SIZE))
        try:
            nodes, _ = self._read(offset + RECORD_HEADER_SIZE, self._record.stop - _SIZE_COPY, False, 0)
            elements = [node for node in nodes if isinstance(node, Element)]
            if len(elements) != 1:
                raise UnreadableRecordError(f"{len(elements)} elements at its top instead of one")
            text = JsonWriter().root(elements[0])
        except _MISREAD as error:
            raise UnreadableRecordError(f"its content at {offset + RECORD_HEADER_SIZE} ends too early") from error
        return RenderedRecord(text, self._refers_to, self._is_borrowed)

    def read_definition(self, offset: int) -> list[Node]:
        """The nodes of the template whose definition is at `offset`. Raises UnreadableRecordError."""
        self._nodes = 0
        try:
            (size,) = struct.unpack_from("<I", self._chunk, offset + 20)
            return self._read(offset + 24, offset + 24 + size, True, 0)[0]
        except _MISREAD as error:
            raise UnreadableRecordError(f"the template at {offset} ends too early") from error

    def _read(self, pos: int, end: int, has_dependency: bool, depth: int) -> tuple[list[Node], int]:
        """The nodes of the token stream from `pos` on, values in their places, and where it ended."""
        if depth > _MOST_DEPTH:
            raise UnreadableRecordError("nested too deeply")
        chunk = self._chunk
        top: list[Node] = []
        open_elements: list[Element] = []
        into = top  # where the next node goes: children, or the value of an attribute
        while pos < end:
            token = chunk[pos]
            pos += 1
            kind = token & ~_MORE
            self._count(1)
            if token == _END:
                break
            if kind == _OPEN:
                pos += 2 if has_dependency else 0
                name, pos = self._name(pos + 4)
                pos += 4 if token & _MORE else 0
                element = Element(name)
                (open_elements[-1].children if open_elements else top).append(element)
                open_elements.append(element)
                if len(open_elements) + depth > _MOST_DEPTH:
                    raise UnreadableRecordError("nested too deeply")
                into = element.children
            elif kind == _ATTRIBUTE and open_elements:
                name, pos = self._name(pos)
                into = []
                open_elements[-1].attributes.append((name, into))
            elif token == _CLOSE_START and open_elements:
                into = open_elements[-1].children
            elif token in (_CLOSE_EMPTY, _END_ELEMENT) and open_elements:
                open_elements.pop()
                into = open_elements[-1].children if open_elements else top
            elif kind == _VALUE:
                value, pos = self._literal(pos)
                into.append(value)
            elif token in (_SUBSTITUTION, _OPTIONAL):
                (index, _) = struct.unpack_from("<HB", chunk, pos)
                into.append(Place(index, token == _OPTIONAL))
                pos += 3
            elif token == _TEMPLATE:
                nodes, pos = self._instance(pos, end, depth)
                into += nodes
            elif token == _FRAGMENT:
                pos += 3
            elif kind == _CDATA:
                text, pos = self._counted_text(pos)
                into.append(Value(json_text(text), False))
            elif kind == _CHARACTER:
                (code,) = struct.unpack_from("<H", chunk, pos)
                into.append(Value(json_text(chr(code)) if not 0xD800 <= code < 0xE000 else f"&#{code};", False))
                pos += 2
            elif kind == _ENTITY:
                name, pos = self._name(pos)
                into.append(Value(json_text(_ENTITIES.get(name, f"&{name};")), False))
            elif token == _PI_TARGET:
                _, pos = self._name(pos)
            elif token == _PI_DATA:
                _, pos = self._counted_text(pos)
            else:
                raise UnreadableRecordError(f"token 0x{token:02x} at {pos - 1} where none of that kind may stand")
        return top, pos

    def _count(self, nodes: int) -> None:
        self.work += nodes
        self._nodes += nodes
        if self._nodes > _MOST_NODES:
            raise UnreadableRecordError(f"more than {_MOST_NODES} nodes")

    def _refer(self, offset: int) -> None:
        if offset not in self._record:
            self._refers_to = offset if self._refers_to is None else min(self._refers_to, offset)

    def _name(self, pos: int) -> tuple[str, int]:
        """The name that the reference at `pos` leads to, and where what follows the reference begins."""
        (offset,) = struct.unpack_from("<I", self._chunk, pos)
        if offset not in self._names:
            self._names[offset] = self._name_at(offset)
        name, length = self._names[offset]
        self._refer(offset)
        pos += 4
        if offset == pos:  # it stands right here, where it was used first
            pos += 8 + 2 * length + 2
        return name, pos

    def _name_at(self, offset: int) -> tuple[str, int]:
        if offset + 8 > CHUNK_SIZE:
            raise StaleRecordError(f"its name at {offset} is outside of the chunk")
        stored_hash, length = struct.unpack_from("<HH", self._chunk, offset + 4)
        self._count(2 * length // _BYTES_A_NODE)
        units = self._chunk[offset + 8 : offset + 8 + 2 * length]
        hashed = 0
        for low, high in zip(units[::2], units[1::2], strict=False):
            hashed = (hashed * 65599 + (high << 8 | low)) & 0xFFFFFFFF
        if len(units) != 2 * length or length == 0 or hashed & 0xFFFF != stored_hash:
            raise StaleRecordError(f"its name at {offset} is overwritten: the hash there does not fit")
        return json_text(units.decode("utf-16-le", "ignore")), length

    def _counted_text(self, pos: int) -> tuple[str, int]:
        (length,) = struct.unpack_from("<H", self._chunk, pos)
        end = pos + 2 + 2 * length
        if end > CHUNK_SIZE:
            raise UnreadableRecordError(f"text at {pos} runs out of the chunk")
        self._count(2 * length // _BYTES_A_NODE)
        return self._chunk[pos + 2 : end].decode("utf-16-le", "ignore"), end

    def _literal(self, pos: int) -> tuple[Value, int]:
        value_type = self._chunk[pos]
        if value_type != _STRING:
            raise UnreadableRecordError(f"a literal of type 0x{value_type:02x} at {pos}")
        text, end = self._counted_text(pos + 1)
        return Value(json_text(text), False), end

    def _instance(self, pos: int, end: int, depth: int) -> tuple[list[Node], int]:
        """A template with its values in place: MS-EVEN6 2.2.16 and what EVTX makes of it, definitions by offset."""
        chunk = self._chunk
        template_id, definition = struct.unpack_from("<II", chunk, pos + 1)
        pos += 9
        is_inline = definition == pos  # it stands right here, where it was used first
        nodes = self._template(template_id, definition, is_inline, depth)
        if is_inline:
            (size,) = struct.unpack_from("<I", chunk, definition + 20)
            pos += 24 + size
        (count,) = struct.unpack_from("<I", chunk, pos)
        if count > _MOST_VALUES:
            raise UnreadableRecordError(f"{count} values at {pos}")
        pos += 4
        kinds = struct.unpack_from("<" + "HBx" * count, chunk, pos)
        pos += 4 * count
        values: list[list[Node]] = []
        self._count(count)
        for value_size, value_type in zip(kinds[::2], kinds[1::2], strict=True):
            if pos + value_size > end:
                raise UnreadableRecordError(f"a value of {value_size} bytes at {pos} runs out of its record")
            values.append(self._value(pos, value_size, value_type, depth))
            pos += value_size
        return list(self._filled(nodes, values)), pos

    def _template(self, template_id: int, definition: int, is_inline: bool, depth: int) -> list[Node]:
        """Its nodes, from its place in this chunk or, if that is overwritten, from wherever there is one of this id."""
        try:
            if definition + 24 > CHUNK_SIZE:
                raise StaleRecordError(f"its template at {definition} is outside of the chunk")
            identity, size = struct.unpack_from("<I12xI", self._chunk, definition + 4)
            if identity != template_id:
                raise StaleRecordError(f"its template at {definition} is overwritten: another one's id stands there")
            if definition + 24 + size > CHUNK_SIZE:
                raise StaleRecordError(f"its template at {definition} is overwritten: it runs out of the chunk")
            if definition in self._open_templates:
                raise UnreadableRecordError(f"the template at {definition} holds itself")
            self._open_templates.add(definition)
            nodes, _ = self._read(definition + 24, definition + 24 + size, True, depth + 1)
        except StaleRecordError:
            # Of one that stood inside the record nothing tells where it ended and the values begin.
            borrowed = None if is_inline or self._find_template is None else self._find_template(template_id)
            if borrowed is None:
                raise
            self._is_borrowed = True
            return borrowed
        finally:
            self._open_templates.discard(definition)
        self._refer(definition)
        return nodes

    def _value(self, pos: int, size: int, value_type: int, depth: int) -> "list[Node]":
        if value_type == _BINXML:
            return self._read(pos, pos + size, False, depth + 1)[0]
        self._count(size // _BYTES_A_NODE)
        try:
            value = decode_value(value_type, self._chunk[pos : pos + size], self._ansi_codec)
        except (ValueError, struct.error) as error:
            raise UnreadableRecordError(f"the value of type 0x{value_type:02x} at {pos}: {error}") from error
        self._count(len(value.items))
        return [value]

    def _filled(self, nodes: "Sequence[Node]", values: "Sequence[list[Node]]") -> "Iterator[Node]":
        for node in nodes:
            self._count(1)
            if isinstance(node, Place):
                if node.index < len(values):
                    self._count(len(values[node.index]))
                    yield from values[node.index]
            elif isinstance(node, Element):
                attributes = [(name, list(self._filled(value, values))) for name, value in node.attributes]
                children = list(self._filled(node.children, values))
                array = next((child for child in children if isinstance(child, Value) and child.items), None)
                if array is None:
                    yield Element(node.name, attributes, children)
                    continue
                self._count(len(array.items) * len(children))
                for item in array.items:
                    yield Element(node.name, attributes, [item if child is array else child for child in children])
            else:
                yield node
