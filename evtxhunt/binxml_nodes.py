"""What is read of a record's BinXML before it is written as JSON, and what there is to say if it cannot be read."""

from dataclasses import dataclass, field

from evtxhunt.binxml_values import Value


class UnreadableRecordError(Exception):
    """The record cannot be rendered; the message says why and names an offset from the chunk's start."""


class StaleRecordError(UnreadableRecordError):
    """The template or a name that the record refers to is not there any more: something else stands in its place."""


@dataclass(slots=True, eq=False)
class Element:
    """Its attributes are there in order, names are escaped for JSON."""

    name: str
    attributes: "list[tuple[str, list[Node]]]" = field(default_factory=list)
    children: "list[Node]" = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a template takes value `index`."""

    index: int
    is_optional: bool


Node = Element | Place | Value
