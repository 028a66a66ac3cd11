"""What a report tells of each remoting session: witnesses, code and commands, processes, and what is missing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import duckdb

from evtxhunt.model import ReportSession
from evtxhunt.pipeline.report_records import MOST_RECORDS_EACH, RecordPicker
from evtxhunt.report_model import ReportCommand, ReportGap, ReportLayer, ReportProcess, ReportWitness, SessionDetail

# Of one session; what is beyond is counted, and `evtxhunt timeline --session N` tells it.
MOST_COMMANDS = 300
MOST_PROCESSES = 500
MOST_WITNESSES = 400
_LONGEST_TEXT = 20_000  # characters of one script, command line or decoded layer
_MOST_TEXT = 20_000_000  # characters of all: then texts are cut to their beginning
_SHORT_TEXT = 500
_MOST_LAYERS = 12

_SESSIONS = """
    SELECT session_id, source_ip, source_user_name, user_sid, logon_type, target_logon_id, resource_uri, host_process_id
    FROM remoting_session WHERE list_contains($sessions, session_id) ORDER BY session_id
"""
_WITNESSES = f"""
    SELECT session_id, role, rule, event_key, count(*) OVER (PARTITION BY session_id) AS n
    FROM remoting_witness JOIN event USING (event_key)
    WHERE list_contains($sessions, session_id)
    -- Code and programs have lists of their own, so that the plumbing comes first where not all fit.
    QUALIFY row_number() OVER (PARTITION BY session_id
        ORDER BY role IN ('child_process', 'descendant_process', 'script_block', 'module_log'), event_time, event_key,
            role) <= {MOST_WITNESSES}
    ORDER BY session_id, event_time, event_key, role
"""
_GAPS = """
    SELECT session_id, role, computer, channel, is_seen, reason FROM remoting_gap
    WHERE list_contains($sessions, session_id) ORDER BY session_id, role, channel
"""
_COMMANDS = f"""
    WITH witness AS (
        SELECT session_id, event_key FROM remoting_witness
        WHERE role IN ('script_block', 'module_log') AND list_contains($sessions, session_id)
    ),
    ran AS (
        SELECT DISTINCT session_id, 'script block' AS kind, block.event_time, block.text, block.path,
            is_flagged_by_windows, parts_found, parts_total, event_keys
        FROM witness JOIN script_block AS block ON block.event_key = witness.event_key
        UNION ALL
        SELECT session_id, 'command', event_time, coalesce(command_line, payload), script_name, false, 1, 1, [event_key]
        FROM witness JOIN module_log USING (event_key)
    )
    SELECT session_id, kind, event_time, left(text, {_LONGEST_TEXT}), coalesce(len(text), 0), path,
        is_flagged_by_windows, parts_found, coalesce(parts_total, parts_found), event_keys,
        count(*) OVER (PARTITION BY session_id)
    FROM ran
    QUALIFY row_number() OVER (PARTITION BY session_id ORDER BY event_time, event_keys) <= {MOST_COMMANDS}
    ORDER BY session_id, event_time, event_keys
"""
_PROCESSES = f"""
    WITH of_session AS (
        SELECT DISTINCT session_id, process_key
        FROM remoting_witness JOIN (SELECT process_key, unnest(event_keys) AS event_key FROM process) USING (event_key)
        WHERE role IN ('host_process', 'child_process', 'descendant_process') AND list_contains($sessions, session_id)
    )
    SELECT session_id, process_key,
        CASE WHEN list_contains(list(process_key) OVER (PARTITION BY session_id), parent_key) THEN parent_key END,
        process_id, program, left(command_line, {_LONGEST_TEXT}), account(user_domain, user_name), start_time, end_time,
        event_keys, count(*) OVER (PARTITION BY session_id)
    FROM of_session JOIN process USING (process_key)
    QUALIFY row_number() OVER (PARTITION BY session_id ORDER BY start_time, process_key) <= {MOST_PROCESSES}
    ORDER BY session_id, start_time, process_key
"""
_LAYERS = f"""
    SELECT event_key, method, depth, left(text, {_LONGEST_TEXT}), len(text) FROM decoded_text
    WHERE list_contains($keys, event_key) AND layer <= {_MOST_LAYERS} ORDER BY event_key, layer
"""

_Rows = Mapping[int, list[tuple[Any, ...]]]


class SessionDetails:
    """The rows behind the sessions, before and after the records that they cite are read."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, sessions: Sequence[ReportSession]) -> None:
        wanted = {"sessions": [session.session_id for session in sessions]}
        self._facts, self._witnesses, self._gaps, self._commands, self._processes = (
            _by_session(connection.execute(sql, wanted).fetchall())
            for sql in (_SESSIONS, _WITNESSES, _GAPS, _COMMANDS, _PROCESSES)
        )
        keys = {row[8][0] for rows in self._commands.values() for row in rows}
        keys |= {key for rows in self._processes.values() for row in rows for key in row[8]}
        self._layers = _by_session(connection.execute(_LAYERS, {"keys": sorted(keys)}).fetchall())
        self._text_left = _MOST_TEXT

    def want(self, picker: RecordPicker) -> None:
        """Asks for the records behind the sessions."""
        picker.want((row[2] for rows in self._witnesses.values() for row in rows), 1)
        picker.want(_first_keys(self._commands), 1)
        picker.want(_first_keys(self._processes), 1)

    def session_of_record(self, picker: RecordPicker) -> dict[int, int]:
        """Index of a record -> the first session it is a witness of."""
        found: dict[int, int] = {}
        for session_id, rows in sorted(self._witnesses.items()):
            for record in picker.place([row[2] for row in rows]):
                found.setdefault(record, session_id)
        return found

    def add_to(self, session: ReportSession, picker: RecordPicker) -> ReportSession:
        """The session with its details."""
        number = session.session_id
        witnesses = self._witnesses.get(number, [])
        commands = self._commands.get(number, [])
        processes = self._processes.get(number, [])
        ip, source_user, sid, logon_type, logon_id, resource_uri, process_id = self._facts[number][0]
        detail = SessionDetail(
            source_ip=ip,
            source_user_name=source_user,
            user_sid=sid,
            logon_type=logon_type,
            target_logon_id=logon_id,
            resource_uri=resource_uri,
            host_process_id=process_id,
            witnesses=tuple(
                ReportWitness(row[0], row[1], place) for row in witnesses for place in picker.place([row[2]])
            ),
            witness_count=witnesses[0][3] if witnesses else 0,
            gaps=tuple(ReportGap(*row) for row in self._gaps.get(number, [])),
            commands=tuple(self._command(row, picker) for row in commands),
            command_count=commands[0][9] if commands else 0,
            processes=tuple(self._process(row, picker) for row in _parents_first(processes)),
            process_count=processes[0][9] if processes else 0,
        )
        return replace(session, detail=detail)

    def _command(self, row: tuple[Any, ...], picker: RecordPicker) -> ReportCommand:
        kind, time, text, length, path, is_flagged, found, total, keys, _ = row
        return ReportCommand(
            kind,
            time,
            self._take(text or ""),
            length,
            path,
            is_flagged,
            found,
            total,
            self._layers_of(keys[:1]),
            picker.place(keys[:MOST_RECORDS_EACH]),
            len(keys),
        )

    def _process(self, row: tuple[Any, ...], picker: RecordPicker) -> ReportProcess:
        key, parent, process_id, program, command_line, user_name, start, end, keys, _ = row
        return ReportProcess(
            key,
            parent,
            process_id,
            program,
            self._take(command_line) if command_line is not None else None,
            user_name,
            start,
            end,
            self._layers_of(keys),
            picker.place(keys[:MOST_RECORDS_EACH]),
            len(keys),
        )

    def _layers_of(self, keys: Sequence[int]) -> tuple[ReportLayer, ...]:
        rows = next((self._layers[key] for key in keys if key in self._layers), [])
        return tuple(ReportLayer(method, depth, self._take(text), length) for method, depth, text, length in rows)

    def _take(self, text: str) -> str:
        shown = text if len(text) <= self._text_left else text[:_SHORT_TEXT]
        self._text_left = max(0, self._text_left - len(shown))
        return shown


def _by_session(rows: Iterable[tuple[Any, ...]]) -> dict[int, list[tuple[Any, ...]]]:
    """Rows by their first value, without it."""
    grouped: dict[int, list[tuple[Any, ...]]] = {}
    for key, *values in rows:
        grouped.setdefault(key, []).append(tuple(values))
    return grouped


def _first_keys(grouped: _Rows) -> Iterable[int]:
    return (key for rows in grouped.values() for row in rows for key in row[8][:MOST_RECORDS_EACH])


def _parents_first(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Depth first, children in the order of time; what a loop of parents would swallow comes at the end."""
    children: dict[int | None, list[tuple[Any, ...]]] = {}
    for row in rows:
        children.setdefault(row[1], []).append(row)
    ordered: list[tuple[Any, ...]] = []
    seen: set[int] = set()
    stack = list(reversed(children.get(None, [])))
    while stack:
        row = stack.pop()
        if row[0] not in seen:
            seen.add(row[0])
            ordered.append(row)
            stack += reversed(children.get(row[0], []))
    return ordered + [row for row in rows if row[0] not in seen]
