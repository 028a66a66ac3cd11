"""The score of a host: who is to be looked at first. Integers, so that it is the same everywhere."""

from collections.abc import Iterable, Sequence

from evtxhunt.triage_model import ScorePart, TriageFinding

# A detection of the next level outweighs a handful of those below it. Informational ones describe, they accuse nobody.
LEVEL_POINTS = {"critical": 400, "high": 100, "medium": 25, "low": 5, "informational": 0}
# For each other computer, in either direction: a hop is how an intrusion spreads, but it rests on findings too.
HOP_POINTS, FAILED_HOP_POINTS, MOST_HOP_PEERS = 60, 15, 10
# For each log with a serious remark: content was taken out, or looks so.
SERIOUS_POINTS, MOST_SERIOUS_LOGS = 80, 5
# What silence says nothing without. Sysmon is not part of Windows.
TELLING_CHANNELS = (
    ("Security",),
    ("System",),
    ("Windows PowerShell", "Microsoft-Windows-PowerShell/Operational"),
    ("Microsoft-Windows-WinRM/Operational",),
)

EXPLANATION = (
    "A detection that fired on a host counts once in full: critical 400, high 100, medium 25, low 5, informational 0."
    " Each further finding of it counts half of the one before, in whole points: many findings of one detection are"
    " seldom more than one thing.",
    "Each other computer from which a second hop reached the host, or to which one went on from it, counts 60, or 15 if"
    " all of them were refused; at most 10 computers in either direction, those first that count more.",
    "Each log with a serious remark on its integrity (view log_integrity: cleared, content taken out or changed) counts"
    " 80, at most 5 logs.",
    "Hosts of equal score are in the order of their names. A score says who to look at first and is no measure of"
    " guilt: 0 of a host whose logs would not have told is marked as not logged.",
)


def repeated(points: int, findings: int) -> int:
    """Points of so many findings of one detection: the first in full, each further one half of that before it."""
    return sum(points >> place for place in range(min(findings, points.bit_length())))


def score_parts(
    findings: Iterable[TriageFinding],
    hops_in: Sequence[tuple[str, bool]],
    hops_out: Sequence[tuple[str, bool]],
    serious: Sequence[tuple[str, int]],
) -> tuple[ScorePart, ...]:
    """Most points first. Hops are (the other computer, whether all to or from it failed), each computer once."""
    parts = [
        ScorePart(
            repeated(LEVEL_POINTS[item.level], item.findings),
            f"{item.level}: {item.title}" + (f", {item.findings:,} times" if item.findings > 1 else ""),
        )
        for item in findings
    ]
    for words, hops in (("reached from", hops_in), ("went on to", hops_out)):
        room = MOST_HOP_PEERS
        for is_failed, points, end in ((False, HOP_POINTS, ""), (True, FAILED_HOP_POINTS, ", refused")):
            peers = sorted(name for name, failed in hops if failed is is_failed)
            counted = min(len(peers), room)
            room -= counted
            if counted:
                named = ", ".join(peers[:3]) + (f" and {len(peers) - 3:,} more" if len(peers) > 3 else "")
                parts.append(ScorePart(points * counted, f"second hop: {words} {named}{end}"))
    logs = sum(count for _, count in serious)
    if logs:
        reasons = ", ".join(reason.replace("_", " ") for reason, _ in serious)
        parts.append(ScorePart(SERIOUS_POINTS * min(logs, MOST_SERIOUS_LOGS), f"integrity of {logs:,} logs: {reasons}"))
    return tuple(sorted((part for part in parts if part.points), key=lambda part: (-part.points, part.text)))
