"""The ground truth of a scenario as TOML: who did what when, and which records show it."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from samples.collection import Collection
from samples.scenario import Event
from samples.story import Expectation, Hop, NearMiss, RemoteSession, Story

_HEAD = """\
# Ground truth of the logs beside this file, written by `python -m samples.build`. All of it is synthetic: the
# domain is below example.test, addresses are from the documentation ranges. Times are true and UTC; a host's
# clock shows skew_seconds more. Records are cited as file and EventRecordID. Of an expected finding, `records`
# are what it must cite, `related` what it may cite as well. `missing` witnesses were never in any file.
synthetic = true
"""
_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def render_truth(story: Story, collection: Collection) -> str:
    """TOML text. ValueError if an expectation or near miss rests on nothing that stands in a file."""
    parts = [_HEAD + _pairs(name=story.name, title=story.title, day=_Raw(f"{story.day:%Y-%m-%d}"))]
    sources = {id(session.source) for session in story.sessions}
    for host in story.hosts:
        parts.append(
            _table(
                "host",
                name=host.name,
                computer=host.computer,
                address=host.address,
                build=host.build,
                is_source=id(host) in sources,
                skew_seconds=host.skew // timedelta(seconds=1),
            )
        )
    for step in sorted(story.steps, key=lambda step: step.at):
        parts.append(_table("step", time=_time(step.at), host=step.host.name, actor=step.actor, text=step.text))
    sessions = sorted(story.sessions, key=lambda session: session.start)
    names = {id(session): f"s{number}" for number, session in enumerate(sessions, start=1)}
    for session in sessions:
        parts.append(_session(names[id(session)], session, collection))
    for hop in sorted(story.hops, key=lambda hop: hop.at):
        parts.append(_hop(hop, names, collection))
    for expected in story.expectations:
        parts.append(
            _table(
                "expected",
                detection=expected.detection,
                host=expected.host.name,
                is_benign=expected.is_benign,
                text=expected.text,
            )
            + _records("records", _required(expected, collection), collection)
            + _records("related", _placed(expected.related, collection), collection)
        )
    for miss in story.near_misses:
        parts.append(
            _table("near_miss", detection=miss.detection, host=miss.host.name, text=miss.text)
            + _records("records", _required(miss, collection), collection)
        )
    for gap in story.gaps:
        parts.append(_table("coverage", host=gap.host.name, channel=gap.channel, verdict=gap.verdict, text=gap.text))
    for lost in collection.lost:
        since = _FILETIME_EPOCH + timedelta(microseconds=lost.since // 10)
        parts.append(
            _table(
                "lost_records",
                host=lost.host.name,
                channel=lost.channel,
                first=lost.first,
                last=lost.last,
                since=_time(since),
                reason=lost.fate.value,
            )
        )
    return "\n".join(parts)


def _session(name: str, session: RemoteSession, collection: Collection) -> str:
    target, user = session.target, session.user
    text = _table(
        "session",
        id=name,
        kind=session.kind,
        source=session.source.name if session.source else None,
        source_address=session.source_address,
        source_user=session.source_user.full_name if session.source_user else None,
        target=target.name,
        user_name=user.name,
        user_domain=user.domain,
        user_sid=user.sid,
        authentication_package=session.package,
        runs_as=session.logon.account.full_name,
        target_logon_id=_Raw(hex(session.logon.logon_id)),
        host_process_id=session.host_process_id,
        resource_uri=session.resource_uri,
        start=_time(session.start),
        end=None if session.end is None else _time(session.end),
        end_reason=session.end_reason,
        text=session.text,
    )
    rows = []
    for role, events in session.witnesses.items():
        cited = _citations(_placed(events, collection), collection)
        rows += [f"    {{role = {_value(role)}, {citation}}}," for citation in cited]
    missing = sorted(
        {
            (event.host, event.channel, event.shape.event_id, role, _reason(event, collection))
            for role, events in session.witnesses.items()
            for event in events
            if event not in collection.places
        }
    )
    gone = [
        f"    {{role = {_value(role)}, host = {_value(host)}, channel = {_value(channel)}, event_id = {event_id}, "
        f"reason = {_value(reason)}}},"
        for host, channel, event_id, role, reason in missing
    ]
    return text + _array("witnesses", rows) + _array("missing", gone)


def _reason(event: Event, collection: Collection) -> str:
    return collection.fates[event].value if event.is_logged else "not_logged"


def _hop(hop: Hop, names: dict[int, str], collection: Collection) -> str:
    return _table(
        "hop",
        method=hop.method,
        time=_time(hop.at),
        from_session=names[id(hop.inbound)],
        to_session=names[id(hop.outbound)] if hop.outbound else None,
        source=hop.inbound.source.name if hop.inbound.source else None,
        via=hop.inbound.target.name,
        to=hop.to,
        user_name=hop.user.name,
        next_user_name=hop.next_user.name,
        is_failed=hop.is_failed,
        text=hop.text,
    ) + _records("records", _placed(hop.events, collection), collection)


def _required(claim: Expectation | NearMiss, collection: Collection) -> list[Event]:
    found = _placed(claim.events, collection)
    if not found:
        raise ValueError(f"{claim.detection} on {claim.host.name}: no record of {claim.text!r} stands in a file")
    return found


def _placed(events: Iterable[Event], collection: Collection) -> list[Event]:
    return [event for event in events if event in collection.places]


class _Raw(str):
    """TOML text that needs no quotes."""

    __slots__ = ()


def _time(moment: datetime) -> _Raw:
    return _Raw(f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z")


def _table(table: str, /, **items: str | int | None) -> str:
    return f"[[{table}]]\n{_pairs(**items)}"


def _pairs(**items: str | int | None) -> str:
    """`key = value` lines; what is None is left out, as TOML has no null."""
    return "".join(f"{key} = {_value(item)}\n" for key, item in items.items() if item is not None)


def _value(item: str | int) -> str:
    # A JSON string of these texts is a TOML basic string; true and false are the same in both.
    return item if isinstance(item, _Raw) else json.dumps(item, ensure_ascii=False)


def _citations(events: Iterable[Event], collection: Collection) -> list[str]:
    places = {collection.places[event] for event in events}
    cited = sorted((place.file, place.event_record_id) for place in places)
    return [f"file = {_value(file)}, event_record_id = {number}" for file, number in cited]


def _records(key: str, events: Iterable[Event], collection: Collection) -> str:
    return _array(key, [f"    {{{citation}}}," for citation in _citations(events, collection)])


def _array(key: str, rows: list[str]) -> str:
    return "\n".join([f"{key} = [", *rows, "]", ""]) if rows else ""
