"""Records of ours and the XML of other parsers, made comparable."""

import base64
import json
import re
from collections import Counter, defaultdict
from datetime import datetime, timedelta

from lxml import etree

NS = "{http://schemas.microsoft.com/win/2004/08/events/event}"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def normalise(value: str | None) -> str:
    """One spelling for what parsers spell differently: booleans, GUID braces, hex width, white space of arrays."""
    text = (value or "").strip()
    if re.fullmatch(r"\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?", text):
        return text.strip("{}").lower()
    if re.fullmatch(r"0x[0-9A-Fa-f]+", text):
        return str(int(text, 16))
    if text.lower() in ("true", "false"):
        return text.lower()
    # SystemTime values: python-evtx writes "2019-05-16 01:33:54.567896+00:00", Rust "...T...Z".
    if re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?", text):
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text).replace("Z", "+00:00"))
        return moment.replace(tzinfo=None).isoformat()
    return re.sub(r"\s+", " ", text)


def is_same(ours: str, theirs: str) -> bool:
    """Equal, or differing only by what python-evtx is known to lose."""
    if ours == theirs:
        return True
    if TIME.fullmatch(ours) and TIME.fullmatch(theirs):
        # It computes times in floating point, and writes FILETIME 0 as year 1.
        difference = abs(datetime.fromisoformat(ours) - datetime.fromisoformat(theirs))
        return difference <= timedelta(microseconds=2) or (ours[:4], theirs[:4]) == ("1601", "0001")
    if re.fullmatch(r"([0-9A-F]{2})+", ours) and re.fullmatch(r"([A-Za-z0-9+/=]{4})+", theirs.replace(" ", "")):
        return base64.b64decode(theirs).hex().upper() == ours  # it writes binary values as base64
    return CONTROL.sub("", ours) == theirs  # it drops characters that XML cannot hold


def is_same_data(ours: dict[str, list[str]], theirs: dict[str, list[str]]) -> bool:
    """Values under each name are the same."""
    for key in ours.keys() | theirs.keys():
        values, others = ours.get(key, []), theirs.get(key, [])
        if key == "/Data":
            # In an array with empty strings python-evtx reads the next value twice, then cut: "290" of "584290".
            extra = Counter(others) - Counter(values)
            if all(any(value.endswith(other) for value in values) for other in extra):
                others = sorted((Counter(others) - extra).elements())
        if len(values) != len(others) or not all(map(is_same, values, others)):
            return False
    return True


def flatten_json(value: object, path: str, into: dict[str, list[str]]) -> None:
    if isinstance(value, PairList):
        for key, item in value:
            if key == "#attributes":
                for name, attribute in item if isinstance(item, PairList) else []:
                    if name != "Name" and not name.startswith("xmlns"):
                        into[f"{path}@{name}"].append(normalise(str(attribute)))
            elif key == "#text":
                flatten_json(item, path, into)
            else:
                flatten_json(item, f"{path}/{key}", into)
    elif isinstance(value, list):
        for item in value:
            flatten_json(item, path, into)
    elif value is not None:
        text = normalise(str(value))
        if text:
            into[path].append(text)


class PairList(list):  # type: ignore[type-arg]
    """A JSON object with its repeated keys."""


def json_values(text: str | None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    if text is not None:
        flatten_json(json.loads(text, object_pairs_hook=PairList), "", found)
    return {key: sorted(values) for key, values in found.items() if any(values)}


def split_array(text: str) -> list[str]:
    """python-evtx writes an array of strings as <string>a</string>\\n<string>b</string>."""
    if text.lstrip().startswith("<string>"):
        return [value for value in re.findall(r"<string>(.*?)</string>", text, re.DOTALL) if value.strip()]
    return [text]


def xml_values(element: etree._Element | None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)

    def walk(node: etree._Element, path: str) -> None:
        for child in node:
            name = etree.QName(child).localname
            key = f"{path}/{child.get('Name')}" if name == "Data" and child.get("Name") else f"{path}/{name}"
            for attribute, value in child.attrib.items():
                if attribute != "Name":
                    found[f"{key}@{attribute}"].append(normalise(value))
            if normalise(child.text) and not len(child):
                found[key] += [normalise(value) for value in split_array(child.text or "")]
            walk(child, key)

    if element is not None:
        walk(element, "")
    return {key: sorted(values) for key, values in found.items() if any(values)}


SYSTEM_COLUMNS = {
    "provider": "Provider@Name",
    "provider_guid": "Provider@Guid",
    "event_source_name": "Provider@EventSourceName",
    "event_id": "EventID",
    "qualifiers": "EventID@Qualifiers",
    "version": "Version",
    "level": "Level",
    "task": "Task",
    "opcode": "Opcode",
    "keywords": "Keywords",
    "event_time": "TimeCreated@SystemTime",
    "event_record_id": "EventRecordID",
    "activity_id": "Correlation@ActivityID",
    "related_activity_id": "Correlation@RelatedActivityID",
    "process_id": "Execution@ProcessID",
    "thread_id": "Execution@ThreadID",
    "channel": "Channel",
    "computer": "Computer",
    "user_sid": "Security@UserID",
}


def system_value(system: etree._Element, place: str) -> str:
    name, _, attribute = place.partition("@")
    element = system.find(f"{NS}{name}")
    if element is None:
        return ""
    return normalise(element.get(attribute) if attribute else element.text)
