"""A report that is full of what an attacker can write: every text of every part, levels and the time zone apart."""

import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from payloads import PAYLOADS
from reports import realistic_report

from evtxhunt.model import Report, SkippedFile

# Not log text: ours, or an analyst's choice that the program checks.
_KEPT = {"level", "time_zone"}


def hostile_report(payloads: tuple[str, ...] = PAYLOADS) -> Report:
    """A finding, record, source, session, line, ... for each payload, with the payload in all of their texts."""
    base = realistic_report()
    findings = tuple(
        replace(_filled(base.findings[0], payload), finding_id=index + 1, records=(index,), details=_json(payload))
        for index, payload in enumerate(payloads)
    )
    records = tuple(
        replace(
            _filled(base.records[0], payload),
            source=index,
            event_data=_json(payload) if index % 2 else payload,
            copies=((index, payload),),
            copy_count=1,
        )
        for index, payload in enumerate(payloads)
    )
    sessions = tuple(
        _renumbered(replace(_filled(base.sessions[0], payload), session_id=index + 1), index, len(payloads))
        for index, payload in enumerate(payloads)
    )
    hops = tuple(
        replace(_filled(base.hops[0], payload), hop_id=index + 1, from_session_id=index + 1, to_session_id=None)
        for index, payload in enumerate(payloads)
    )
    lines = tuple(
        replace(_filled(base.lines[0], payload), finding_id=index + 1 if index % 3 == 2 else None, records=(index,))
        for index, payload in enumerate(payloads)
    )
    return replace(
        _filled(base, payloads[0]),
        findings=findings,
        finding_count=len(findings),
        records=records,
        sessions=sessions,
        session_count=len(sessions),
        hops=tuple(replace(hop, evidence=(index,)) for index, hop in enumerate(hops)),
        hop_count=len(hops),
        lines=lines,
        line_kinds=tuple((payload, 2) for payload in payloads),
        places=tuple(sorted({(payload.lower(), payload) for payload in payloads})),
        coverage=tuple(_filled(base.coverage[index % 2], payload) for index, payload in enumerate(payloads)),
        skews=tuple(_filled(base.skews[1], payload) for payload in payloads),
        paths=tuple(
            replace(_filled(base.paths[0], payload), hop_ids=(index + 1,), entry_session_id=index + 1)
            for index, payload in enumerate(payloads)
        ),
        runs=tuple(_filled(base.runs[1], payload) for payload in payloads),
        notes=tuple(_filled(base.notes[0], payload) for payload in payloads),
        review=(),
        allowed=tuple((payload, payload, 1) for payload in payloads),
        sources=tuple(
            replace(_filled(base.sources[0], payload), source_file_id=index) for index, payload in enumerate(payloads)
        ),
        channels=tuple(replace(base.channels[0], host=payload, channel=payload) for payload in payloads),
        failures=tuple(
            replace(_filled(base.failures[0], payload), source=index) for index, payload in enumerate(payloads)
        ),
        skipped=tuple(SkippedFile(Path(payload.replace("\0", "\\0")), payload, None) for payload in payloads),
        detections=tuple(
            replace(_filled(base.detections[0], payload), error=payload if index % 2 else None)
            for index, payload in enumerate(payloads)
        ),
    )


def _json(payload: str) -> str:

    return json.dumps({payload: payload, "nested": [payload, {payload: payload}]})


def _filled(item: Any, payload: str) -> Any:
    """A copy in which every text, down to the last dataclass, is the payload."""
    if isinstance(item, str):
        return payload
    if isinstance(item, tuple):
        return tuple(_filled(part, payload) for part in item)
    if is_dataclass(item) and not isinstance(item, type):
        changes: dict[str, Any] = {}
        for field in fields(item):
            value = getattr(item, field.name)
            is_text = field.type in ("str", str, "str | None", str | None)
            if field.name not in _KEPT:
                changes[field.name] = payload if is_text else _filled(value, payload)
        return replace(item, **changes)
    return item


def _renumbered(item: Any, index: int, count: int) -> Any:
    """A copy whose records are among the `count` that there are."""
    if isinstance(item, tuple):
        return tuple(_renumbered(part, index, count) for part in item)
    if is_dataclass(item) and not isinstance(item, type):
        changes: dict[str, Any] = {}
        for field in fields(item):
            value = getattr(item, field.name)
            if field.name == "record":
                changes[field.name] = (index + value) % count
            elif field.name == "records" and isinstance(value, tuple):
                changes[field.name] = tuple((index + place) % count for place in value)
            else:
                changes[field.name] = _renumbered(value, index, count)
        return replace(item, **changes)
    return item
