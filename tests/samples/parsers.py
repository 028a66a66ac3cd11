"""The same log read by four parsers, each brought into one form.

A parsed record maps names to texts: `Provider@Name`, `EventID`, `EventID@Qualifiers`, ... for System, the
field's name for EventData, `Element/Child` for UserData, `Data` (a tuple) for classic events. Absent and
null items are left out; empty fields are kept. What the parsers write differently for the same value is
made equal here, and nowhere else.
"""

import base64
import io
import json
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import evtx
import pyevtx
from dissect.eventlog import evtx as dissect_evtx
from dissect.eventlog.bxml import BxmlSub
from lxml import etree

with warnings.catch_warnings():
    # python-evtx imports hexdump, whose invalid escapes newer Pythons warn about.
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", SyntaxWarning)
    import Evtx.Evtx

Values = dict[str, str | tuple[str, ...]]

_NAMESPACE = "{http://schemas.microsoft.com/win/2004/08/events/event}"
_GUID = re.compile(r"\{?([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}?")
_HEX = re.compile(r"0[xX]0*([0-9A-Fa-f]+)")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|\+00:00)?")
# dissect shows booleans as 1 and 0; these are the Boolean fields of Sysmon 3.
_BOOLEAN_FIELDS = {"Initiated", "SourceIsIpv6", "DestinationIsIpv6"}
# Texts that look like a GUID value of dissect's.
_UPPER_CASE_TEXTS = {"shellId", "commandId"}


@dataclass(frozen=True, slots=True)
class ParsedRecord:
    """`header_record_id` is None where the parser does not tell it."""

    header_record_id: int | None
    values: Values


def canonical(text: str) -> str:
    """One spelling for GUIDs, hexadecimal numbers, booleans, times (in microseconds) and line ends."""
    if match := _GUID.fullmatch(text):
        return match[1].lower()
    if match := _HEX.fullmatch(text):
        return f"0x{match[1].lower()}"
    if text in ("True", "False"):
        return text.lower()
    if match := _TIME.fullmatch(text):
        return f"{match[1]}T{match[2]}.{(match[3] or '').ljust(6, '0')[:6]}"
    # XML parsers turn CRLF into LF, as the standard says.
    return text.replace("\r\n", "\n")


def differences(one: Values, other: Values) -> dict[str, tuple[object, object]]:
    """The items that are not equal. Times may differ by 2 microseconds: two parsers compute them in floats."""
    names = one.keys() | other.keys()
    pairs = {name: (one.get(name), other.get(name)) for name in sorted(names)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1] and not _is_same_moment(*pair)}


def _is_same_moment(*texts: object) -> bool:
    if not all(isinstance(text, str) and _TIME.fullmatch(text) for text in texts):
        return False
    first, second = (datetime.fromisoformat(str(text)) for text in texts)
    return abs(first - second) <= timedelta(microseconds=2)


def _xml_values(xml: str, binary: Callable[[str], str] = str.upper) -> Values:
    root = etree.fromstring(xml.encode())
    values: Values = {}
    system = root.find(f"{_NAMESPACE}System")
    assert system is not None
    for element in system:
        name = etree.QName(element).localname
        if element.text and element.text.strip():
            values[name] = canonical(element.text)
        values.update({f"{name}@{key}": canonical(text) for key, text in element.attrib.items() if text})
    for part in root:
        kind = etree.QName(part).localname
        if kind == "EventData":
            values.update(_event_data(part, binary))
        elif kind == "UserData":
            values.update(_user_data(part))
        elif kind == "ProcessingErrorData":
            values.update(_error_data(part, binary))
    return values


def _event_data(part: etree._Element, binary: Callable[[str], str]) -> Values:
    own_name = part.get("Name")
    values: Values = {} if own_name is None else {"EventData/Name": own_name}
    unnamed: list[str] = []
    for element in part:
        text = element.text or ""
        name = element.get("Name")
        if etree.QName(element).localname == "Binary":
            if text:
                values["Binary"] = binary(text)
        elif name is None:
            # python-evtx writes a string array as escaped <string> elements inside one Data.
            unnamed += re.findall(r"<string>(.*?)</string>", text, re.DOTALL) or [text]
        else:
            values[name] = canonical(text)
    # A null array is an empty Data element in some parsers and none in others.
    if "".join(unnamed).strip():
        # The Rust parser breaks the line of an empty one.
        values["Data"] = tuple(canonical(text) if text.strip() else "" for text in unnamed)
    return values


def _error_data(part: etree._Element, binary: Callable[[str], str]) -> Values:
    texts = {etree.QName(item).localname: (item.text or "").strip() for item in part}
    return {name: binary(text) if name == "EventPayload" else text for name, text in texts.items()}


def _user_data(part: etree._Element) -> Values:
    return {
        "/".join(etree.QName(node).localname for node in (*reversed(list(leaf.iterancestors())), leaf)[2:]): canonical(
            leaf.text or ""
        )
        for leaf in part.iter(etree.Element)
        # An element directly below UserData that holds nothing is no value; the Rust parser breaks its line.
        if not len(leaf) and (leaf.getparent() is not part or (leaf.text or "").strip())
    }


def read_evtx(path: Path) -> list[ParsedRecord]:
    """The Rust parser, as XML. Its warnings are errors of the test."""
    records: list[Any] = list(evtx.PyEvtxParser(str(path)).records())
    return [ParsedRecord(item["event_record_id"], _xml_values(item["data"])) for item in records]


def read_evtx_json(path: Path) -> list[ParsedRecord]:
    """The Rust parser, as the JSON that ingest uses."""
    records: list[Any] = list(evtx.PyEvtxParser(str(path)).records_json())
    return [ParsedRecord(item["event_record_id"], _json_values(item["data"])) for item in records]


def _json_values(data: str) -> Values:
    event = json.loads(data)["Event"]
    values: Values = {}
    for name, item in event["System"].items():
        parts = item if isinstance(item, dict) else {"#text": item}
        for key, text in parts.get("#attributes", {}).items():
            values[f"{name}@{key}"] = canonical(str(text))
        if parts.get("#text") is not None:
            values[name] = canonical(str(parts["#text"]))
    for name, item in (event.get("EventData") or {}).items():
        if name == "Data":
            texts = (item or {}).get("#text") or []
            if texts:
                values[name] = tuple(map(canonical, texts if isinstance(texts, list) else [texts]))
        elif name == "Binary":
            values.update({name: item} if item else {})
        elif name == "#attributes":
            values["EventData/Name"] = item["Name"]
        else:
            values[name] = canonical(str(item))
    for root, children in (event.get("UserData") or {}).items():
        if children is not None:
            values.update(_json_tree(root, children))
    for name, item in (event.get("ProcessingErrorData") or {}).items():
        values[name] = str(item)
    return values


def _json_tree(path: str, item: Any) -> Iterator[tuple[str, str]]:
    if isinstance(item, dict):
        for name, child in item.items():
            if name != "#attributes":
                yield from _json_tree(f"{path}/{name}", child)
    else:
        yield path, canonical("" if item is None else str(item))


def read_python_evtx(path: Path) -> list[ParsedRecord]:
    with Evtx.Evtx.Evtx(str(path)) as log:
        return [
            ParsedRecord(record.record_num(), _xml_values(record.xml(), _hex_of_base64)) for record in log.records()
        ]


def _hex_of_base64(text: str) -> str:
    return base64.b64decode(text).hex().upper()


def read_libevtx(path: Path) -> list[ParsedRecord]:
    log = pyevtx.file()
    log.open(str(path))
    try:
        assert not log.is_corrupted()
        assert log.get_number_of_recovered_records() == 0
        # A record's XML has to be taken before a record of another chunk is read.
        return [_libevtx_record(log.get_record(number)) for number in range(log.get_number_of_records())]
    finally:
        log.close()


def _libevtx_record(record: Any) -> ParsedRecord:
    return ParsedRecord(record.get_identifier(), _xml_values(record.get_xml_string()))


def read_dissect(path: Path) -> list[ParsedRecord]:
    return [ParsedRecord(None, _dissect_values(record)) for record in dissect_evtx.Evtx(io.BytesIO(path.read_bytes()))]


_SYSTEM_ELEMENTS = {"Provider", "EventID", "TimeCreated", "Correlation", "Execution", "Security"}


def _dissect_values(record: Any) -> Values:
    values: Values = {}
    for key, item in record.items():
        name, _, rest = key.partition("_")
        if name == "Operation":  # the events of WMI-Activity, whose first element has an underscore itself
            name, rest = "_".join(key.split("_")[:2]), "_".join(key.split("_")[2:])
        if isinstance(item, BxmlSub):
            item = item.get()
        if item is None or rest.startswith("xmlns"):
            continue
        if rest:
            key = f"{name}@{rest}" if name in _SYSTEM_ELEMENTS else f"{name}/{rest.replace('_', '/')}"
        values[key] = _dissect_text(key, item)
    return values


def _dissect_text(key: str, item: Any) -> str | tuple[str, ...]:
    if isinstance(item, list):
        return tuple(map(canonical, item))
    if isinstance(item, bytes):
        return item.decode("ascii").upper()
    if isinstance(item, datetime):
        return canonical(item.astimezone(UTC).isoformat())
    text = str(item)
    if key in _BOOLEAN_FIELDS:
        return {"1": "true", "0": "false"}[text]
    # dissect prints the bytes of a GUID value without swapping its first three numbers; a GUID that a
    # template holds as text is right already.
    if key not in _UPPER_CASE_TEXTS and text.isupper() and (match := _GUID.fullmatch(text)):
        return str(UUID(bytes_le=UUID(match[1]).bytes))
    return canonical(text)


READERS: dict[str, Callable[[Path], list[ParsedRecord]]] = {
    "evtx": read_evtx,
    "evtx-json": read_evtx_json,
    "python-evtx": read_python_evtx,
    "libevtx": read_libevtx,
    "dissect": read_dissect,
}
