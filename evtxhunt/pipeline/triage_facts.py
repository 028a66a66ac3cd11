"""What the case says of each host and collection, gathered for a triage."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb

from evtxhunt import __version__
from evtxhunt.discover import is_harmless
from evtxhunt.model import LEVELS
from evtxhunt.pipeline.shelf import could_be_evidence, file_name
from evtxhunt.pipeline.triage_score import TELLING_CHANNELS, score_parts
from evtxhunt.report_model import ReportPath
from evtxhunt.triage_model import (
    ChannelCoverage,
    CollectionState,
    FleetHop,
    FleetSession,
    Triage,
    TriageCollection,
    TriageFinding,
    TriageHost,
)

_MOST_NEAR = 5  # other names in the same files, by name: a log may hold thousands
_SYSMON = "Microsoft-Windows-Sysmon/Operational"
COLLECTIONS_SQL = """
    SELECT DISTINCT arguments->>'$.paths[0]' AS path FROM run
    WHERE command = 'ingest' AND ended_at IS NOT NULL ORDER BY path
"""
_HOSTS = """
    SELECT computer, coalesce(place.host, written_name), events, first_time, last_time
    FROM computer_name AS place JOIN (
        SELECT lower(computer) AS computer, count(*) AS events, min(event_time) AS first_time,
            max(event_time) AS last_time
        FROM counted_event GROUP BY ALL
    ) USING (computer) ORDER BY computer
"""
_FILES = "SELECT DISTINCT lower(computer), source_file_id FROM file_record WHERE computer IS NOT NULL ORDER BY ALL"
_FINDINGS = """
    SELECT * FROM (
        SELECT lower(coalesce(computer, host)), level, detection_id, any_value(title), count(*)
        FROM finding WHERE allowed_reason IS NULL GROUP BY ALL
    ) ORDER BY list_position(['critical', 'high', 'medium', 'low', 'informational'], level), detection_id
"""
_SERIOUS = """
    SELECT lower(computer), reason, count(*) FROM log_integrity
    WHERE severity = 'serious' AND computer IS NOT NULL GROUP BY ALL ORDER BY ALL
"""
_COVERAGE = """
    SELECT computer, channel, records, is_absent, missing_records, cleared_time, notes
    FROM log_coverage ORDER BY computer, channel
"""
_SESSIONS = """
    SELECT session_id, start_time, kind, coalesce(source_computer, source_ip), target_computer,
        account(user_domain, user_name), confidence FROM remoting_session ORDER BY session_id
"""
_HOPS = """
    SELECT hop_id, event_time, from_session_id, to_session_id, source_computer, via_computer, to_computer, method,
        user_name, next_user_name, is_failed, confidence FROM hop ORDER BY hop_id
"""
_PATHS = """
    SELECT path_id, entry_session_id, hop_ids, computers, user_names, methods, is_failed FROM hop_path
    WHERE is_longest ORDER BY path_id
"""
_LOGS = """
    SELECT source_file_id, concat_ws('!', container, path) AS path, size, status,
        coalesce(parsed, 0) + coalesce(rescued, 0), coalesce(failed, 0)
    FROM source_file ORDER BY source_file_id
"""


def gather_triage(connection: duckdb.DuckDBPyConnection, failures: Mapping[str, tuple[str, str]]) -> Triage:
    """All that a triage shows, of a case with findings and correlated tables.

    `failures`: path of each collection that is not in the case, with the reason and what to do.
    """

    def rows(sql: str) -> list[tuple[Any, ...]]:
        return connection.execute(sql).fetchall()

    names = {computer: name for computer, name, *_ in rows(_HOSTS)}
    paths = [path for (path,) in rows(COLLECTIONS_SQL)]
    logs, skipped = rows(_LOGS), rows("SELECT path, reason FROM skipped_file ORDER BY path")
    collection_of_log = dict(zip((row[0] for row in logs), _place([row[1] for row in logs], paths), strict=True))
    files = _grouped(rows(_FILES))
    in_file: dict[int, set[str]] = defaultdict(set)
    for computer, found in files.items():
        for (source_file_id,) in found:
            in_file[source_file_id].add(computer)
    together: dict[tuple[int, ...], list[tuple[str, str]]] = {}  # name and computer of all in the same files
    findings, serious, coverage = _grouped(rows(_FINDINGS)), _grouped(rows(_SERIOUS)), _grouped(rows(_COVERAGE))
    sessions = tuple(FleetSession(*row) for row in rows(_SESSIONS))
    hops = tuple(FleetHop(*row) for row in rows(_HOPS))
    hosts = []
    for computer, name, events, first_time, last_time in rows(_HOSTS):
        found_here = tuple(TriageFinding(*row) for row in findings.get(computer, ()))
        remarks = tuple(serious.get(computer, ()))
        channels = tuple(ChannelCoverage(*row) for row in coverage.get(computer, ()))
        parts = score_parts(
            found_here,
            _peers(names, ((hop.via, hop.is_failed) for hop in hops if hop.target == computer)),
            _peers(names, ((hop.target, hop.is_failed) for hop in hops if hop.via == computer)),
            remarks,
        )
        present = {item.channel for item in channels if not item.is_absent}
        missing = tuple(group[0] for group in TELLING_CHANNELS if present.isdisjoint(group))
        own_files = tuple(source_file_id for (source_file_id,) in files.get(computer, ()))
        if own_files not in together:  # many computers may be in the same ones
            near = {computer}.union(*(in_file[source_file_id] for source_file_id in own_files))
            together[own_files] = sorted((names.get(other, other), other) for other in near)
        near_names = [name for name, other in together[own_files][: _MOST_NEAR + 1] if other != computer][:_MOST_NEAR]
        hosts.append(
            TriageHost(
                computer=computer,
                name=name,
                report=f"hosts/{file_name(computer)}.html",
                score=sum(part.points for part in parts),
                parts=parts,
                verdict="evidence" if parts else "not logged" if missing else "quiet",
                missing_channels=missing,
                findings=found_here,
                sessions_in=sum(session.target == computer for session in sessions),
                sessions_out=sum(session.source == computer for session in sessions),
                hops_in=sum(hop.target == computer for hop in hops),
                hops_out=sum(hop.via == computer for hop in hops),
                serious_remarks=remarks,
                collections=tuple(sorted({place for i in own_files if (place := collection_of_log[i]) is not None})),
                also_named=tuple(near_names),
                also_named_count=len(together[own_files]) - 1,
                events=events,
                first_time=first_time,
                last_time=last_time,
                coverage=channels,
            )
        )
    hosts.sort(key=lambda host: (-host.score, host.computer))
    seen = {name for session in sessions for name in (session.source, session.target)}
    seen |= {name for hop in hops for name in (hop.source, hop.via, hop.target)}
    levels = dict.fromkeys(reversed(LEVELS), 0)
    for _, level, _, _, count in rows(_FINDINGS):
        levels[level] += count
    return Triage(
        version=__version__,
        collections=_collections(paths, logs, collection_of_log, skipped, failures, hosts),
        hosts=tuple(hosts),
        channels=(*(channel for group in TELLING_CHANNELS for channel in group), _SYSMON),
        sessions=sessions,
        hops=hops,
        paths=tuple(
            ReportPath(number, entry, tuple(ids), tuple(computers), tuple(users), tuple(methods), is_failed)
            for number, entry, ids, computers, users, methods, is_failed in rows(_PATHS)
        ),
        uncollected=tuple(sorted(name for name in seen if name is not None and name not in names)),
        failed_detections=tuple(
            rows("SELECT detection_id, error FROM detection_run WHERE error IS NOT NULL ORDER BY ALL")
        ),
        levels=tuple(levels.items()),
        homeless_findings=sum(row[-1] for name, own in findings.items() if name not in names for row in own),
        events=rows("SELECT count(*) FROM counted_event")[0][0],
        nameless_events=rows("SELECT count(*) FROM counted_event WHERE computer IS NULL")[0][0],
    )


def _grouped(rows: Iterable[tuple[Any, ...]]) -> dict[Any, list[tuple[Any, ...]]]:
    found: dict[Any, list[tuple[Any, ...]]] = defaultdict(list)
    for first, *rest in rows:
        found[first].append(tuple(rest))
    return dict(found)


def _peers(names: Mapping[str, str], hops: Iterable[tuple[str | None, bool]]) -> list[tuple[str, bool]]:
    """Each computer once, and whether all hops from or to it failed."""
    found: dict[str, bool] = {}
    for computer, is_failed in hops:
        name = "an unknown computer" if computer is None else names.get(computer, computer)
        found[name] = found.get(name, True) and is_failed
    return sorted(found.items())


def _place(paths: Iterable[str], collections: Sequence[str]) -> list[str | None]:
    """For each path the collection that it is or lies in; no collection lies in another."""
    known = set(collections)
    found: list[str | None] = []
    for path in paths:
        # What stands between an archive and the name inside it may be another sign than that between folders.
        # The longest comes first, for a collection's own name may have such signs too.
        heads = [path, *(path[:end] for end in range(len(path) - 1, 0, -1) if path[end] in "/\\!:>#|")]
        found.append(next((head for head in heads if head in known), None))
    return found


def _collections(
    paths: Sequence[str],
    logs: Sequence[tuple[Any, ...]],
    collection_of_log: Mapping[int, str | None],
    skipped: Sequence[tuple[str, str]],
    failures: Mapping[str, tuple[str, str]],
    hosts: Sequence[TriageHost],
) -> tuple[TriageCollection, ...]:
    own_logs: dict[str | None, list[tuple[Any, ...]]] = defaultdict(list)
    for log in logs:
        own_logs[collection_of_log[log[0]]].append(log)
    reasons: dict[str | None, list[tuple[str, str]]] = defaultdict(list)
    for place, item in zip(_place([path for path, _ in skipped], paths), skipped, strict=True):
        reasons[place].append(item)
    names: dict[str, list[str]] = defaultdict(list)
    for host in hosts:
        for collection in host.collections:
            names[collection].append(host.name)
    made = []
    for path in sorted({*paths, *failures}):
        own = own_logs[path]
        state, reason, what_to_do = _state(path, own, reasons[path])
        if path in failures:
            state, (reason, what_to_do) = "failed", failures[path]
        made.append(
            TriageCollection(
                path=path,
                state=state,
                reason=reason,
                what_to_do=what_to_do,
                logs=len(own),
                size=sum(log[2] for log in own),
                records=sum(log[4] for log in own),
                failed_records=sum(log[5] for log in own),
                hosts=tuple(sorted(names[path])),
            )
        )
    return tuple(made)


def _state(
    path: str, logs: Sequence[tuple[Any, ...]], skipped: Sequence[tuple[str, str]]
) -> tuple[CollectionState, str | None, str | None]:
    unreadable = [reason for _, reason in skipped if not is_harmless(reason)]
    if not logs:
        reason = unreadable[0] if unreadable else "no event log in it" if not skipped else None
        if reason is None:
            reason = skipped[0][1] if skipped[0][0] == path else f"no event log among {len(skipped):,} files"
        if [item for item, _ in skipped] == [path] and not unreadable and not could_be_evidence(path):
            return "no evidence", reason, None
        return "no logs", reason, "look whether this is the right path, and whether the collection went wrong"
    damaged = sum(log[3] == "damaged" for log in logs)
    if unreadable:
        return "incomplete", f"{len(unreadable):,} files unreadable, the first: {unreadable[0]}", "collect them again"
    if damaged:
        failed = sum(log[5] for log in logs)
        return (
            "incomplete",
            f"{damaged:,} damaged logs, {failed:,} records in them could not be read",
            "table parse_failure names each",
        )
    return "complete", None, None
