"""What was collected of a story: which event stands in which file, under which record id, and what is lost.

Events get their record ids here, once all of them are known. Real logs do not begin at 1, so each has a
first id; it grows from scenario to scenario, since all of them happen to one company.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from zlib import crc32

from samples import values
from samples.evtx_writer import build_log
from samples.scenario import Event, Host
from samples.story import Cut, Fate, Story

_FIRST_DAY = 20_147  # days since 1970 of the first scenario: 2025-02-28
_IDS_A_DAY = 9_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event came to stand."""

    file: str
    event_record_id: int


@dataclass(frozen=True, slots=True)
class Lost:
    """Record ids from `first` to `last` that no file holds. `since`: time of the first of them."""

    host: Host
    channel: str
    first: int
    last: int
    since: int
    fate: Fate


@dataclass(slots=True)
class Collection:
    """The files of a story, each with its events in order and their record ids."""

    files: dict[str, list[tuple[Host, Event, int]]] = field(default_factory=dict)
    places: dict[Event, Place] = field(default_factory=dict)
    fates: dict[Event, Fate] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)

    def put(self, path: str, host: Host, event: Event, record_id: int) -> None:
        self.files.setdefault(path, []).append((host, event, record_id))
        self.places[event] = Place(path, record_id)

    def write_logs(self) -> dict[str, bytes]:
        """Relative path -> bytes of each log."""
        return {
            path: build_log(host.record(event, record_id) for host, event, record_id in entries)
            for path, entries in sorted(self.files.items())
        }


def collect(story: Story) -> Collection:
    collection = Collection()
    for host, channel, events in _logs(story):
        cuts = [cut for cut in story.cuts if cut.host is host and cut.channel == channel]
        run: list[tuple[Event, int]] = []
        run_fate: Fate | None = None
        for record_id, event in enumerate(events, start=_first_id(story.day, host, channel)):
            fate, path = _destination(cuts, host, channel, event)
            if path is not None:
                collection.put(path, host, event, record_id)
            else:
                assert fate is not None
                collection.fates[event] = fate
            if fate is not run_fate:
                _close(collection, host, channel, run, run_fate)
                run, run_fate = [], fate
            run.append((event, record_id))
        _close(collection, host, channel, run, run_fate)
    return collection


def _logs(story: Story) -> Iterator[tuple[Host, str, list[Event]]]:
    """The logs of all hosts, each with its events in the order of time."""
    for host in story.hosts:
        by_channel: dict[str, list[Event]] = {}
        for event in sorted(host.events, key=lambda event: event.time):
            if event.is_logged:
                by_channel.setdefault(event.channel, []).append(event)
        for channel, events in sorted(by_channel.items()):
            yield host, channel, events


def _first_id(day: datetime, host: Host, channel: str) -> int:
    age = int(day.timestamp()) // 86_400 - _FIRST_DAY
    return 900 + crc32(f"{host.name}{channel}".encode()) % 60_000 + age * _IDS_A_DAY


def _destination(cuts: list[Cut], host: Host, channel: str, event: Event) -> tuple[Fate | None, str | None]:
    """The fate of an event, and its file if there is one."""
    name = channel.replace("/", "%4")
    for cut in sorted(cuts, key=lambda cut: (cut.at is not None, cut.at)):
        if cut.at is None:
            return cut.fate, None
        shown = host.shown(cut.at)
        if event.time < values.filetime_from(shown):
            if cut.fate is not Fate.ARCHIVED:
                return cut.fate, None
            return cut.fate, f"{host.name}/Archive-{name}-{shown:%Y-%m-%d-%H-%M-%S}-{shown.microsecond // 1000:03}.evtx"
    return None, f"{host.name}/{name}.evtx"


def _close(collection: Collection, host: Host, channel: str, run: list[tuple[Event, int]], fate: Fate | None) -> None:
    if run and fate is not None and fate is not Fate.ARCHIVED:
        (first, first_id), (_, last_id) = run[0], run[-1]
        collection.lost.append(Lost(host, channel, first_id, last_id, first.time, fate))
