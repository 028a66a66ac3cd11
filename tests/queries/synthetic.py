"""Events written down in TOML -> a real case, by the same way that parsed records take."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from evtxhunt.event_columns import EVENT_STREAM_SCHEMA
from evtxhunt.store import CaseStore

FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def expand_events(defaults: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each event with the file's defaults; `repeat` and `every_seconds` make a series, {n} in a value counts it."""
    for event in events:
        merged = {**defaults, **event, "event_data": {**defaults.get("event_data", {}), **event.get("event_data", {})}}
        if "user_data" in merged or "data_list" in merged or "no_data" in merged:
            merged.pop("event_data")
        repeat, every = merged.pop("repeat", 1), merged.pop("every_seconds", 1)
        start = datetime.fromisoformat(merged.pop("time")) if isinstance(merged["time"], str) else merged.pop("time")
        for number in range(1, repeat + 1):
            yield {
                **{key: count_in(value, number) for key, value in merged.items()},
                "time": start + timedelta(seconds=every * (number - 1)),
            }


def count_in(value: Any, number: int) -> Any:
    if isinstance(value, str):
        return value.replace("{n}", str(number))
    if isinstance(value, dict):
        return {key: count_in(item, number) for key, item in value.items()}
    return value


def record_json(event: Mapping[str, Any], record_id: int) -> str:
    """The JSON that the evtx parser gives for a record like this."""
    attributes = "#attributes"
    system = {
        "Provider": {attributes: {"Name": event["provider"]}},
        "EventID": event["event_id"],
        "Version": event.get("version", 0),
        "Level": event.get("level", 0),
        "Task": 0,
        "Opcode": 0,
        "Keywords": "0x8020000000000000",
        "TimeCreated": {attributes: {"SystemTime": event["time"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}},
        "EventRecordID": record_id,
        "Correlation": {attributes: {"ActivityID": event["activity_id"]}} if "activity_id" in event else None,
        "Execution": {attributes: {"ProcessID": event.get("process_id", 4), "ThreadID": 8}},
        "Channel": event["channel"],
        "Computer": event["computer"],
        "Security": {attributes: {"UserID": event["user_sid"]}} if "user_sid" in event else None,
    }
    body: dict[str, Any] = {attributes: {"xmlns": "http://schemas.microsoft.com/win/2004/08/events/event"}}
    body["System"] = system
    if "user_data" in event:
        body["UserData"] = event["user_data"]
    elif "data_list" in event:
        body["EventData"] = {"Data": {"#text": event["data_list"]}, "Binary": None}
    else:
        body["EventData"] = event.get("event_data") or None
    return json.dumps({"Event": body})


def replace_events(store: CaseStore, events: Sequence[Mapping[str, Any]]) -> None:
    """Makes these all the events of a case; event_key counts them from 1, as EventRecordID does without record_id."""
    rows = [
        {
            "event_key": key,
            "source_file_id": 1,
            "host": None,
            "origin": event.get("origin", "live"),
            "header_record_id": event.get("header_record_id", event.get("record_id", key)),
            "written_filetime": int((event["time"].astimezone(UTC) - FILETIME_EPOCH).total_seconds()) * 10**7,
            "record_offset": 4096 + 512 * key,
            "record_json": record_json(event, event.get("record_id", key)),
        }
        for key, event in enumerate(events, start=1)
    ]
    with store.transaction():
        store.connection.execute("DELETE FROM event")
        store.append_events(iter([pa.RecordBatch.from_pylist(rows, schema=EVENT_STREAM_SCHEMA)]))
