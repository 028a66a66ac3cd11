"""Build the demo logs and their truth: `python -m samples.build_demo [OUT_DIR]`.

Events get their record ids here, once all of them are known. Real logs do not begin at 1, so each has a
first id. SRV02's Security log was full at 09:40:02 and Windows archived it (the policy is "archive when
full"); what came between that and the clearing at 09:41:37 is lost: ids that no file holds.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from samples import shapes, values
from samples.demo_attack import tell_attack
from samples.demo_cast import Demo, clock, sit_down
from samples.demo_noise import tell_morning
from samples.evtx_writer import build_log
from samples.scenario import Event, Host
from samples.truth import Lost, Place, render_truth

DEMO_FOLDER = Path(__file__).resolve().parent / "demo"
ARCHIVED_AT = clock("09:40:02.113")
_ARCHIVE = "Archive-Security-2025-03-04-09-40-02-113.evtx"
_NOT_COLLECTED = {("WS07", shapes.SYSTEM_LOG)}  # not collected, so as to stay small
_FIRST_IDS = {("SRV02", shapes.SECURITY_LOG): 184_211}


@dataclass(slots=True)
class _Plan:
    """Which events stand in which file, in order, with their record ids; and what no file holds."""

    files: dict[str, list[tuple[Host, Event, int]]] = field(default_factory=dict)
    places: dict[Event, Place] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)

    def put(self, path: str, host: Host, event: Event, record_id: int) -> None:
        self.files.setdefault(path, []).append((host, event, record_id))
        self.places[event] = Place(path, record_id)


def make_demo() -> Demo:
    demo = Demo()
    desk = sit_down(demo.ws07, clock("08:02:31.207"))
    tell_morning(demo, desk)
    tell_attack(demo, desk)
    return demo


def build_demo() -> dict[str, bytes]:
    """Relative path -> content of every file of the demo; equal bytes each time."""
    demo = make_demo()
    plan = _plan_files(demo)
    contents = {
        path: build_log(host.record(event, record_id) for host, event, record_id in entries)
        for path, entries in sorted(plan.files.items())
    }
    contents["truth.toml"] = render_truth(demo, plan.places, plan.lost).encode()
    return contents


def write_demo(folder: Path) -> None:
    for path, content in build_demo().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _plan_files(demo: Demo) -> _Plan:
    plan = _Plan()
    cleared_at = next(event.time for event in demo.srv02.events if event.shape is shapes.SECURITY_LOG_CLEARED)
    archived_at = values.filetime_from(ARCHIVED_AT)
    for host, channel, events in _logs(demo):
        name = f"{channel.replace('/', '%4')}.evtx"
        first_id = _FIRST_IDS.get((host.name, channel), 900 + crc32(f"{host.name}{channel}".encode()) % 60_000)
        is_archived_log = host is demo.srv02 and channel == shapes.SECURITY_LOG
        lost: list[int] = []
        for record_id, event in enumerate(events, start=first_id):
            if is_archived_log and event.time <= archived_at:
                plan.put(f"{host.name}/{_ARCHIVE}", host, event, record_id)
            elif is_archived_log and event.time < cleared_at:
                lost.append(record_id)
            else:
                plan.put(f"{host.name}/{name}", host, event, record_id)
        if lost:
            plan.lost.append(Lost(host.name, channel, lost[0], lost[-1], ARCHIVED_AT))
    return plan


def _logs(demo: Demo) -> Iterator[tuple[Host, str, list[Event]]]:
    """The logs of all hosts, each with its events in the order of time."""
    for host in demo.hosts:
        by_channel: dict[str, list[Event]] = {}
        for event in sorted(host.events, key=lambda event: event.time):
            by_channel.setdefault(event.channel, []).append(event)
        for channel, events in sorted(by_channel.items()):
            if (host.name, channel) not in _NOT_COLLECTED:
                yield host, channel, events


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, default=DEMO_FOLDER, metavar="OUT_DIR")
    write_demo(parser.parse_args().folder)


if __name__ == "__main__":
    main()
