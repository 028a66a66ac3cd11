"""The ground truth of a scenario as TOML: who did what when, and which records a detection rests on."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from samples.demo_cast import ATTACKER_ADDRESS, DAY, Demo
from samples.scenario import Event

_HEAD = f"""\
# Ground truth of the demo logs beside this file, written by samples/build_demo.py. All of it is synthetic:
# the domain is below example.test, addresses are from the documentation ranges (the attacker's is
# {ATTACKER_ADDRESS}). Records are cited as file and EventRecordID. `records` are what a finding must cite,
# `related` what it may cite as well.
synthetic = true
day = {DAY:%Y-%m-%d}
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event came to stand."""

    file: str
    event_record_id: int


@dataclass(frozen=True, slots=True)
class Lost:
    """Record ids from `first` to `last` that no file holds."""

    host: str
    channel: str
    first: int
    last: int
    since: datetime


def render_truth(demo: Demo, places: Mapping[Event, Place], lost: Iterable[Lost]) -> str:
    """TOML text; an event that is cited but stands in no file is an error (KeyError)."""
    parts = [_HEAD]
    for host in demo.hosts:
        parts.append(
            _table("host", name=host.name, computer=host.computer, address=host.address, is_source=host is demo.ws07)
        )
    for step in sorted(demo.steps, key=lambda step: step.at):
        parts.append(_table("step", time=_time(step.at), host=step.host.name, actor=step.actor, text=step.text))
    for expected in demo.expectations:
        parts.append(
            _table("expected", detection=expected.detection, host=expected.host.name, text=expected.text)
            + _records("records", expected.events, places)
            + _records("related", expected.related, places)
        )
    for miss in demo.near_misses:
        parts.append(
            _table("near_miss", detection=miss.detection, host=miss.host.name, text=miss.text)
            + _records("records", miss.events, places)
        )
    for gap in lost:
        parts.append(
            _table(
                "lost_records",
                host=gap.host,
                channel=gap.channel,
                first=gap.first,
                last=gap.last,
                since=_time(gap.since),
                text="written after the log was archived as full and before it was cleared",
            )
        )
    return "\n".join(parts)


class _Raw(str):
    """TOML text that needs no quotes."""

    __slots__ = ()


def _time(moment: datetime) -> _Raw:
    return _Raw(f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z")


def _table(table: str, /, **items: str | int) -> str:
    lines = [f"{key} = {_value(item)}" for key, item in items.items()]
    return "\n".join([f"[[{table}]]", *lines, ""])


def _value(item: str | int) -> str:
    # A JSON string of these texts is a TOML basic string; true and false are the same in both.
    return item if isinstance(item, _Raw) else json.dumps(item, ensure_ascii=False)


def _records(key: str, events: Iterable[Event], places: Mapping[Event, Place]) -> str:
    cited = sorted((places[event].file, places[event].event_record_id) for event in events)
    if not cited:
        return ""
    lines = [f"    {{file = {json.dumps(file)}, event_record_id = {number}}}," for file, number in cited]
    return "\n".join([f"{key} = [", *lines, "]", ""])
