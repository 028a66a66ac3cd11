"""Events as typed records, and the BinXML instances that Windows writes for them.

Windows nests two templates. The outer one is the System block; the inner one, a BinXML value of the outer,
is EventData, or what stands inside UserData. Both outer forms here are copied from real records: the shared
one, whose provider and channel are values, and the one a provider has of its own, where they are text.
"""

from dataclasses import dataclass, replace
from functools import cache
from uuid import UUID

from samples import values
from samples.binxml import Attribute, Element, Instance, Substitution, Template
from samples.values import Value, ValueType

_EVENTS_NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events"
_EVENT_NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"


@dataclass(frozen=True, slots=True)
class Provider:
    """Who logs. `has_own_template`: the outer template holds name, GUID and channel as text.

    Real records show that form for classic sources, the Service Control Manager and the event log itself.
    `is_legacy`: the oldest form of it, without version, opcode, correlation and execution (source EventLog).
    """

    name: str
    guid: str | None = None
    event_source_name: str | None = None
    has_own_template: bool = False
    is_legacy: bool = False


@dataclass(frozen=True, slots=True)
class EventData:
    """Named fields in order. `data` is the Binary element that the Service Control Manager adds.

    `name` is the Name of EventData itself, which Task Scheduler gives.
    """

    fields: tuple[tuple[str, Value], ...] = ()
    data: bytes | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ClassicData:
    """Unnamed Data elements, one for each string, as in the Windows PowerShell log."""

    strings: tuple[str, ...] = ()
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class UserElement:
    """An element below UserData: either a value or further elements.

    `has_event_namespace`: it declares a prefix for the namespace of events as well, as Windows 7 does.
    """

    name: str
    content: "Value | tuple[UserElement, ...]"
    namespace: str | None = None
    has_event_namespace: bool = False


@dataclass(frozen=True, slots=True)
class UserData:
    root: UserElement


@dataclass(frozen=True, slots=True)
class ErrorData:
    """ProcessingErrorData, which Windows writes in place of EventData if it could not fill the template."""

    fields: tuple[tuple[str, Value], ...]


Payload = EventData | ClassicData | UserData | ErrorData


@dataclass(frozen=True, slots=True)
class Record:
    """One event. Times are FILETIME: 100 ns ticks since 1601, UTC.

    `written_time` is the record header's time and `header_record_id` the header's id: in a log as Windows
    wrote it both equal the event's own, in a filtered export they do not. `rendering`, elements and texts, is what a
    collector of forwarded events adds.
    """

    provider: Provider
    channel: str
    computer: str
    record_id: int
    time: int
    event_id: int
    version: int
    level: int
    task: int
    opcode: int
    keywords: int
    process_id: int
    thread_id: int
    payload: Payload
    qualifiers: int | None = None
    activity_id: str | None = None
    related_activity_id: str | None = None
    user_sid: str | None = None
    written_time: int | None = None
    header_record_id: int | None = None
    rendering: tuple[tuple[str, str], ...] = ()


def build_instance(record: Record) -> Instance:
    """The template instance that goes into the record, with its values."""
    is_user_data = isinstance(record.payload, UserData)
    provider = record.provider
    if provider.has_own_template:
        template = _own_system(provider, record.channel, record.computer, is_user_data)
        related_index, tail = 18, 20
    else:
        template = _shared_system(record.computer, is_user_data)
        related_index, tail = 13, 18
    slots: list[Value | Instance] = [values.null(ValueType.NULL)] * tail
    slots[0:4] = [
        values.uint8(record.level),
        values.uint8(record.opcode),
        values.uint16(record.task),
        values.uint16(record.event_id),
    ]
    if record.qualifiers is not None:
        slots[4] = values.uint16(record.qualifiers)
    slots[5] = values.hex64(record.keywords)
    slots[6] = values.filetime(record.time)
    if record.activity_id is not None:
        slots[7] = values.guid(record.activity_id)
    slots[8] = values.uint32(record.process_id)
    slots[9] = values.uint32(record.thread_id)
    slots[10] = values.uint64(record.record_id)
    slots[11] = values.uint8(record.version)
    if record.user_sid is not None:
        slots[12] = values.sid(record.user_sid)
    if record.related_activity_id is not None:
        slots[related_index] = values.guid(record.related_activity_id)
    if not provider.has_own_template:
        slots[14] = values.string(provider.name)
        if provider.guid is not None:
            slots[15] = values.guid(provider.guid)
        slots[16] = values.string(record.channel)
    slots[tail - 1] = _payload_instance(record.payload)
    if record.rendering:
        texts = tuple(Element(name, children=(text,)) for name, text in record.rendering)
        info = Element("RenderingInfo", (Attribute("Culture", "en-US"),), texts)
        template = Template(replace(template.root, children=(*template.root.children, info)))
    return Instance(template, tuple(slots))


def _optional(index: int, kind: ValueType) -> Substitution:
    return Substitution(index, kind, is_optional=True)


def _leaf(name: str, index: int, kind: ValueType) -> Element:
    """An element that holds one optional value and goes when the value does."""
    return Element(name, children=(_optional(index, kind),), dependency=index)


def _correlation(related_index: int) -> tuple[Element, Element]:
    return (
        Element(
            "Correlation",
            (
                Attribute("ActivityID", _optional(7, ValueType.GUID)),
                Attribute("RelatedActivityID", _optional(related_index, ValueType.GUID)),
            ),
            is_empty=True,
        ),
        Element(
            "Execution",
            (
                Attribute("ProcessID", _optional(8, ValueType.UINT32)),
                Attribute("ThreadID", _optional(9, ValueType.UINT32)),
            ),
            is_empty=True,
        ),
    )


def _outer(
    provider: Element,
    channel: Element,
    computer: str,
    related_index: int,
    payload: int,
    is_user_data: bool,
    is_legacy: bool = False,
) -> Template:
    system = Element(
        "System",
        children=(
            provider,
            Element(
                "EventID",
                (Attribute("Qualifiers", _optional(4, ValueType.UINT16)),),
                (_optional(3, ValueType.UINT16),),
                dependency=3,
            ),
            *(() if is_legacy else (_leaf("Version", 11, ValueType.UINT8),)),
            _leaf("Level", 0, ValueType.UINT8),
            _leaf("Task", 2, ValueType.UINT16),
            *(() if is_legacy else (_leaf("Opcode", 1, ValueType.UINT8),)),
            _leaf("Keywords", 5, ValueType.HEX64),
            Element(
                "TimeCreated",
                (Attribute("SystemTime", _optional(6, ValueType.FILETIME)),),
                is_empty=True,
            ),
            _leaf("EventRecordID", 10, ValueType.UINT64),
            *(() if is_legacy else _correlation(related_index)),
            channel,
            Element("Computer", children=(computer,)),
            Element("Security", (Attribute("UserID", _optional(12, ValueType.SID)),), is_empty=True),
        ),
    )
    namespace = (Attribute("xmlns", _EVENT_NAMESPACE),)
    inner = _optional(payload, ValueType.BINXML)
    if is_user_data:
        user_data = Element("UserData", children=(inner,), dependency=payload)
        return Template(Element("Event", namespace, (system, user_data)))
    return Template(Element("Event", namespace, (system, inner), dependency=payload))


@cache
def _shared_system(computer: str, is_user_data: bool) -> Template:
    """18 values; the same for all providers of a computer."""
    provider = Element(
        "Provider",
        (
            Attribute("Name", _optional(14, ValueType.STRING)),
            Attribute("Guid", _optional(15, ValueType.GUID)),
        ),
        is_empty=True,
    )
    channel = _leaf("Channel", 16, ValueType.STRING)
    return _outer(provider, channel, computer, related_index=13, payload=17, is_user_data=is_user_data)


@cache
def _own_system(provider: Provider, channel: str, computer: str, is_user_data: bool) -> Template:
    """20 values, of which 13 to 17 stay null."""
    attributes = [Attribute("Name", provider.name)]
    if provider.guid is not None:
        attributes.append(Attribute("Guid", f"{{{UUID(provider.guid)}}}"))
    if provider.event_source_name is not None:
        attributes.append(Attribute("EventSourceName", provider.event_source_name))
    return _outer(
        Element("Provider", tuple(attributes), is_empty=True),
        Element("Channel", children=(channel,)),
        computer,
        related_index=18,
        payload=19,
        is_user_data=is_user_data,
        is_legacy=provider.is_legacy,
    )


def _payload_instance(payload: Payload) -> Instance:
    if isinstance(payload, EventData):
        names = tuple((name, value.declared) for name, value in payload.fields)
        contents = tuple(value for _, value in payload.fields)
        if payload.data is not None:
            contents += (values.uint32(len(payload.data)), values.binary(payload.data))
        return Instance(_named_data(names, payload.data is not None, payload.name), contents)
    if isinstance(payload, ClassicData):
        strings = values.string_array(payload.strings) if payload.strings else _NO_STRINGS
        data = values.binary(payload.data) if payload.data else _NO_BINARY
        return Instance(_CLASSIC_DATA, (strings, values.uint32(len(payload.data or b"")), data))
    if isinstance(payload, ErrorData):
        names = tuple((name, value.declared) for name, value in payload.fields)
        return Instance(_error_data(names), tuple(value for _, value in payload.fields))
    contents = tuple(_user_values(payload.root))
    return Instance(_user_data(_user_shape(payload.root)), contents)


_NO_STRINGS = values.null(ValueType.STRING_ARRAY)
_NO_BINARY = values.null(ValueType.BINARY)
_CLASSIC_DATA = Template(
    Element(
        "EventData",
        children=(_leaf("Data", 0, ValueType.STRING_ARRAY), _leaf("Binary", 2, ValueType.BINARY)),
    )
)


@cache
def _named_data(names: tuple[tuple[str, ValueType], ...], has_binary: bool, name: str | None) -> Template:
    """EventData of a manifest event. With a Binary its length comes before it and is not shown."""
    children = [
        Element("Data", (Attribute("Name", name),), (Substitution(index, kind),))
        for index, (name, kind) in enumerate(names)
    ]
    if has_binary:
        children.append(Element("Binary", children=(Substitution(len(names) + 1, ValueType.BINARY),)))
    attributes = () if name is None else (Attribute("Name", name),)
    return Template(Element("EventData", attributes, tuple(children)))


@cache
def _error_data(names: tuple[tuple[str, ValueType], ...]) -> Template:
    """Elements instead of named Data, each of which goes when its value is null."""
    children = tuple(_leaf(name, index, kind) for index, (name, kind) in enumerate(names))
    return Template(Element("ProcessingErrorData", children=children))


# The shape of a UserData tree without its values: (name, attributes, declared type or child shapes).
_Shape = tuple[str, tuple[tuple[str, str], ...], "ValueType | tuple[_Shape, ...]"]


def _user_shape(element: UserElement) -> _Shape:
    attributes: tuple[tuple[str, str], ...] = ()
    if element.has_event_namespace:
        attributes = (("xmlns:auto-ns3", _EVENTS_NAMESPACE),)
    if element.namespace is not None:
        attributes += (("xmlns", element.namespace),)
    if isinstance(element.content, Value):
        return element.name, attributes, element.content.declared
    return element.name, attributes, tuple(_user_shape(child) for child in element.content)


def _user_values(element: UserElement) -> list[Value]:
    if isinstance(element.content, Value):
        return [element.content]
    return [value for child in element.content for value in _user_values(child)]


@cache
def _user_data(shape: _Shape) -> Template:
    element, _ = _user_template_element(shape, 0)
    return Template(element)


def _user_template_element(shape: _Shape, index: int) -> tuple[Element, int]:
    """The template element of a shape whose first value has `index`, and the next free index."""
    name, pairs, content = shape
    attributes = tuple(Attribute(key, value) for key, value in pairs)
    if isinstance(content, ValueType):
        return Element(name, attributes, (Substitution(index, content),)), index + 1
    children = []
    for child in content:
        element, index = _user_template_element(child, index)
        children.append(element)
    return Element(name, attributes, tuple(children)), index
