"""What correlation still finds when witnesses are missing: `python -m tests.robustness` prints the table of README.

All scenarios in one case, of which one kind of event after another is taken away, and then a tenth of all events
at random. A found session is true if it has target, user and source of a true one and begins within 15 s of
it; a hop if it has its hosts, its method and its success. What is found and not true is false.
"""

import shutil
import tempfile
import tomllib
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.query import correlate, load_query_set
from samples.build import build_scenario, write_files
from samples.scenarios import scenarios

TOLERANCE = timedelta(seconds=15)
SEEDS = 20
SECURITY, SYSMON = "Microsoft-Windows-Security-Auditing", "Microsoft-Windows-Sysmon"
WINRM, POWERSHELL = "Microsoft-Windows-WinRM", "Microsoft-Windows-PowerShell"
# What is taken away, by name: provider and event ids.
DROPPED: dict[str, list[tuple[str, tuple[int, ...]]]] = {
    "nothing": [],
    "4624": [(SECURITY, (4624,))],
    "4672": [(SECURITY, (4672,))],
    "4634": [(SECURITY, (4634,))],
    "4648": [(SECURITY, (4648,))],
    "4688 and 4689": [(SECURITY, (4688, 4689))],
    "4768 and 4769": [(SECURITY, (4768, 4769))],
    "Security log": [(SECURITY, tuple(range(4600, 5200)))],
    "Sysmon 1": [(SYSMON, (1,))],
    "Sysmon 3": [(SYSMON, (3,))],
    "Sysmon": [(SYSMON, tuple(range(1, 30)))],
    "all process starts": [(SECURITY, (4688, 4689)), (SYSMON, (1, 5))],
    "WinRM 6": [(WINRM, (6,))],
    "WinRM 91": [(WINRM, (91,))],
    "WinRM 81, 82, 134": [(WINRM, (81, 82, 134))],
    "WinRM log": [(WINRM, tuple(range(1, 300)))],
    "PowerShell 400": [("PowerShell", (400,))],
    "PowerShell 403": [("PowerShell", (403,))],
    "Windows PowerShell log": [("PowerShell", (400, 403, 600, 800))],
    "4103 and 4104": [(POWERSHELL, (4103, 4104))],
}
_SESSIONS = """
    SELECT split_part(target_computer, '.', 1), lower(user_name), split_part(source_computer, '.', 1), source_ip,
        start_time, confidence
    FROM remoting_session ORDER BY session_id
"""
_HOPS = """
    SELECT split_part(via_computer, '.', 1), split_part(to_computer, '.', 1), method, is_failed, event_time
    FROM hop ORDER BY hop_id
"""


@dataclass(frozen=True, slots=True)
class Score:
    """Of all scenarios: true ones found, false ones, and of the sessions those whose user and source are known."""

    sessions: int
    false_sessions: int
    users: int
    sources: int
    high: int
    hops: int
    methods: int
    false_hops: int


def make_case(folder: Path) -> tuple[Path, dict[str, list[dict[str, Any]]]]:
    """The case with all scenarios, and the true sessions and hops of all."""
    truth: dict[str, list[dict[str, Any]]] = {"session": [], "hop": []}
    for scenario in scenarios():
        contents = build_scenario(scenario)
        write_files(contents, folder / "logs" / scenario.name)
        told = tomllib.loads(contents["truth.toml"].decode())
        skews = {host["name"]: timedelta(seconds=host["skew_seconds"]) for host in told["host"]}
        for session in told.get("session", []):
            truth["session"].append(
                session | {"start": session["start"].replace(tzinfo=None) + skews[session["target"]]}
            )
        truth["hop"] += [hop | {"time": hop["time"].replace(tzinfo=None)} for hop in told.get("hop", [])]
    case = folder / "every.duckdb"
    ingest([folder / "logs"], case)
    return case, truth


def score(case: Path, truth: dict[str, list[dict[str, Any]]], condition: str) -> Score:
    """Takes the events of `condition` out of a copy of the case, correlates it and compares."""
    copy = case.with_name("less.duckdb")
    shutil.copy(case, copy)
    with duckdb.connect(copy) as connection:
        connection.execute(f"DELETE FROM event WHERE {condition}")
    correlate(copy, load_query_set())
    with duckdb.connect(copy, read_only=True) as connection:
        found = connection.execute(_SESSIONS).fetchall()
        hops = connection.execute(_HOPS).fetchall()
    copy.unlink()
    return Score(*_score_sessions(found, truth["session"]), *_score_hops(hops, truth["hop"]))


def _score_sessions(found: list[tuple[Any, ...]], wanted: list[dict[str, Any]]) -> tuple[int, int, int, int, int]:
    left = list(wanted)
    counts: Counter[str] = Counter()
    for target, user, source, ip, start, confidence in found:
        near = [
            true
            for true in left
            if true["target"].lower() == target
            and abs(true["start"] - start) < TOLERANCE
            and user in (None, true["user_name"].lower(), true["runs_as"].partition("\\")[2].lower())
            and ip in (None, true["source_address"])
            and source in (None, str(true.get("source")).lower())
        ]
        if not near:
            counts["false"] += 1
            continue
        best = min(near, key=lambda true: abs(true["start"] - start))
        left.remove(best)
        counts["true"] += 1
        counts["user"] += user is not None
        counts["source"] += source is not None or ip is not None
        counts["high"] += confidence == "high"
    return counts["true"], counts["false"], counts["user"], counts["source"], counts["high"]


def _score_hops(found: list[tuple[Any, ...]], wanted: list[dict[str, Any]]) -> tuple[int, int, int]:
    left = list(wanted)
    counts: Counter[str] = Counter()
    for via, to, method, is_failed, time in found:
        near = [
            true
            for true in left
            if (true["via"].lower(), true["to"].lower(), true["is_failed"]) == (via, to, is_failed)
            and abs(true["time"] - time) < TOLERANCE
        ]
        if not near:
            counts["false"] += 1
            continue
        left.remove(near[0])
        counts["true"] += 1
        counts["method"] += near[0]["method"] == method
    return counts["true"], counts["method"], counts["false"]


def dropped_condition(kinds: list[tuple[str, tuple[int, ...]]]) -> str:
    parts = [f"(provider = '{provider}' AND event_id IN ({', '.join(map(str, ids))}))" for provider, ids in kinds]
    return " OR ".join(parts) or "false"


def random_condition(seed: int) -> str:
    """A tenth of all events, another for each seed and the same each time."""
    return f"hash(event_key * 1000 + {seed}) % 10 = 0"


def render_table(scores: dict[str, Score], truth: dict[str, list[dict[str, Any]]]) -> str:
    """Markdown; each number out of how many there are."""
    sessions, hops = len(truth["session"]), len(truth["hop"])
    lines = [
        f"| without | sessions of {sessions} | user known | source known | confidence high | hops of {hops}"
        " | right method | false |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, item in scores.items():
        lines.append(
            f"| {name} | {item.sessions} | {item.users} | {item.sources} | {item.high} | {item.hops} | {item.methods}"
            f" | {item.false_sessions + item.false_hops} |"
        )
    return "\n".join(lines)


def render_random(scores: list[Score]) -> str:
    """One line for all seeds: the fewest and the most found."""
    sessions, hops = [item.sessions for item in scores], [item.hops for item in scores]
    false = sum(item.false_sessions + item.false_hops for item in scores)
    return (
        f"Without a tenth of all events, chosen at random {len(scores)} times: {min(sessions)} to {max(sessions)}"
        f" sessions, {min(hops)} to {max(hops)} hops, {false} false."
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        case, truth = make_case(Path(name))
        scores = {what: score(case, truth, dropped_condition(kinds)) for what, kinds in DROPPED.items()}
        print(render_table(scores, truth))
        print(render_random([score(case, truth, random_condition(seed)) for seed in range(SEEDS)]))


if __name__ == "__main__":
    main()
