"""Writes what our own parser reads of a record as the very JSON that the fast parser makes of it."""

from collections.abc import Sequence

from evtxhunt.binxml_nodes import Element, Node, UnreadableRecordError
from evtxhunt.binxml_values import Value

# Real records nest 7 elements deep and render to 200 KiB; who writes more wants to do harm.
_MOST_DEPTH = 200  # in all: a value may hold BinXML of its own
_MOST_CHARACTERS = 1 << 20


class JsonWriter:
    """Writes one record as the fast parser's `records_json()` does: attributes in "#attributes", named Data flat."""

    def __init__(self) -> None:
        self._written = 0  # characters and nodes: values that are named twice are there once, and written twice
        self._depth = 0

    def root(self, element: Element) -> str:
        """The JSON of a record. Raises UnreadableRecordError if there is more of it than any real one has."""
        self._count(_size(element))
        return f'{{"{element.name}":{self._element(element, False)}}}'

    def _element(self, element: Element, is_container: bool) -> str:
        attributes = self._attributes(element)
        if not attributes and not any(isinstance(child, Element) for child in element.children):
            return self._content(element.children) if _has_text(element.children) else "null"
        return self._object(element, attributes, is_container)

    def _object(self, element: Element, attributes: str, is_container: bool) -> str:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise UnreadableRecordError("nested too deeply")
        members = [f'"#attributes":{{{attributes}}}'] if attributes else []
        texts = [child for child in element.children if not isinstance(child, Element)]
        if _has_text(texts):
            members.append(f'"#text":{self._content([text for text in texts if _has_text([text])])}')
        children = [child for child in element.children if isinstance(child, Element)]
        for child in children:
            self._count(len(child.name) + _size(child))
        data = [child for child in children if child.name == "Data"] if is_container else []
        is_named = any(_has_text(_name_of(child)) for child in data)
        seen: dict[str, int] = {}
        for child in children:
            is_data = is_container and child.name == "Data"
            if is_data and is_named:
                if _has_text(name := _name_of(child)):
                    members.append(f'"{self._text(name)}":{self._data(child)}')
            elif is_data:
                if "Data" not in seen:
                    seen["Data"] = 0
                    values = [self._data(item) for item in data]
                    listed = values[0] if len(values) == 1 else f"[{','.join(values)}]"
                    members.append(f'"Data":{{"#text":{listed}}}')
            else:
                count = seen[child.name] = seen.get(child.name, -1) + 1
                key = f"{child.name}_{count}" if count else child.name
                members.append(f'"{key}":{self._element(child, child.name in ("EventData", "UserData"))}')
        self._depth -= 1
        return f"{{{','.join(members)}}}"

    def _data(self, element: Element) -> str:
        self._count(_size(element))
        if any(isinstance(child, Element) for child in element.children):
            return self._object(element, "", False)
        return self._content(element.children) if _has_text(element.children) else '""'

    def _attributes(self, element: Element) -> str:
        shown = [(name, value) for name, value in element.attributes if _has_text(value)]
        self._count(sum(len(name) for name, _ in shown))
        return ",".join(f'"{name}":{self._content(value)}' for name, value in shown)

    def _content(self, nodes: "Sequence[Node]") -> str:
        text = self._text(nodes)
        is_bare = len(nodes) == 1 and isinstance(nodes[0], Value) and nodes[0].is_bare
        return text if is_bare else f'"{text}"'

    def _text(self, nodes: "Sequence[Node]") -> str:
        texts = [node.text for node in nodes if isinstance(node, Value)]
        self._count(sum(map(len, texts)))
        return "".join(texts)

    def _count(self, written: int) -> None:
        self._written += written
        if self._written > _MOST_CHARACTERS:
            raise UnreadableRecordError(f"it renders to more than {_MOST_CHARACTERS} characters; no real one does")


def _size(element: Element) -> int:
    """The nodes that are looked through to write it, those inside of its children apart."""
    return 1 + len(element.children) + sum(1 + len(value) for _, value in element.attributes)


def _has_text(nodes: "Sequence[Node]") -> bool:
    return any(isinstance(node, Value) and node.text != "" for node in nodes)


def _name_of(data: Element) -> "Sequence[Node]":
    return next((value for name, value in data.attributes if name == "Name"), [])
