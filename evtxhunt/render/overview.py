"""What a report says first: how much was found, where, and what could not be seen."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from evtxhunt.model import LEVELS, Level, Report, ReportDetection, ReportFinding, ReportSource

WORST_FIRST: tuple[Level, ...] = tuple(reversed(LEVELS))


@dataclass(frozen=True, slots=True)
class DetectionCount:
    """Findings of one detection; `first` is the position of the earliest in the order of the report."""

    detection_id: str
    title: str
    level: Level
    findings: int
    hosts: tuple[str | None, ...]
    first_time: datetime | None
    last_time: datetime | None
    first: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Numbers and names of the whole report."""

    hosts: tuple[str | None, ...]
    channel_names: tuple[str, ...]
    levels: tuple[tuple[Level, int], ...]
    detections: tuple[DetectionCount, ...]
    damaged: tuple[ReportSource, ...]
    failed_records: int
    failed_detections: tuple[ReportDetection, ...]
    silent_detections: int  # Sigma rules among them
    inapplicable_rules: int  # Sigma rules that could find nothing here
    unread: tuple[tuple[str, int], ...]  # reasons for which files were skipped, with their number
    left_out_findings: int
    left_out_failures: int
    line_count: int  # of the story in scope, without the findings among them
    left_out_lines: int
    left_out_kinds: tuple[tuple[str, int], ...]
    recovered: str  # how many records from slack and carved ones there are, and whether they count; empty: none
    is_limited: bool  # to a host or a window
    is_complete: bool  # every record of every log was read, every detection ran, and all of the case is shown


def order_findings(findings: Iterable[ReportFinding]) -> tuple[ReportFinding, ...]:
    """Worst level first, then by time; those without a time last."""
    rank = {level: number for number, level in enumerate(WORST_FIRST)}
    return tuple(
        sorted(
            findings,
            key=lambda finding: (
                rank[finding.level],
                finding.event_time is None,
                finding.event_time or datetime.min,
                finding.finding_id,
            ),
        )
    )


def make_overview(report: Report, findings: Sequence[ReportFinding]) -> Overview:
    """The overview of a report whose findings are in the order of `order_findings`."""
    levels = Counter(finding.level for finding in findings)
    hosts = {channel.host for channel in report.channels} | {finding.host for finding in findings}
    reasons = Counter(skipped.reason for skipped in report.skipped)
    damaged = tuple(source for source in report.sources if source.status == "damaged" or source.failed)
    failed_detections = tuple(detection for detection in report.detections if detection.error is not None)
    rules = dict(report.rule_counts)
    left_out_findings = max(0, report.finding_count - len(findings))
    is_limited = report.only_host is not None or report.window != (None, None)
    shown_kinds = Counter(line.kind for line in report.lines)
    left_out_kinds = tuple(
        (kind, count - shown_kinds[kind]) for kind, count in report.line_kinds if count > shown_kinds[kind]
    )
    return Overview(
        hosts=sort_names(hosts),
        channel_names=tuple(sorted({channel.channel for channel in report.channels if channel.channel})),
        levels=tuple((level, levels[level]) for level in WORST_FIRST),
        detections=_count_detections(findings),
        damaged=damaged,
        failed_records=sum(source.failed or 0 for source in report.sources if source.copy_of is None),
        failed_detections=failed_detections,
        silent_detections=sum(detection.findings == 0 for detection in report.detections) + rules.get("silent", 0),
        inapplicable_rules=rules.get("not applicable", 0),
        unread=tuple(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        left_out_findings=left_out_findings,
        left_out_failures=max(0, report.failure_count - len(report.failures)),
        line_count=sum(count for _, count in report.line_kinds),
        left_out_lines=sum(count for _, count in left_out_kinds),
        left_out_kinds=left_out_kinds,
        recovered=_recovered(report),
        is_limited=is_limited,
        is_complete=bool(report.sources and report.detections)
        and not (damaged or failed_detections or report.failure_count or left_out_findings or is_limited),
    )


def _recovered(report: Report) -> str:
    counts = ((report.slack_count, "from slack"), (report.carved_count, "carved"))
    found = [(count, what) for count, what in counts if count]
    if not found:
        return ""
    (first, what), *rest = found
    number = f"{first:,} record{'' if first == 1 else 's'} {what}" + "".join(f" and {n:,} {word}" for n, word in rest)
    is_one = first == 1 and not rest
    if report.is_recovered_counted:
        return f"{number} {'is' if is_one else 'are'} in the case and counted here, since --include-recovered was given"
    it = "it" if is_one else "them"
    return f"{number} {'is' if is_one else 'are'} in the case and not counted here; --include-recovered counts {it}"


def sort_names(names: Iterable[str | None]) -> tuple[str | None, ...]:
    """Each name once, in alphabetical order, the unknown one last."""
    return tuple(sorted(set(names), key=lambda name: (name is None, name or "")))


def _count_detections(findings: Sequence[ReportFinding]) -> tuple[DetectionCount, ...]:
    positions: dict[tuple[str, str, Level], list[int]] = {}
    for position, finding in enumerate(findings):
        positions.setdefault((finding.detection_id, finding.title, finding.level), []).append(position)
    counts = []
    for (detection_id, title, level), own in positions.items():
        times = [time for position in own if (time := findings[position].event_time) is not None]
        counts.append(
            DetectionCount(
                detection_id,
                title,
                level,
                len(own),
                sort_names(findings[position].host for position in own),
                min(times, default=None),
                max(times, default=None),
                own[0],
            )
        )
    return tuple(sorted(counts, key=lambda count: (WORST_FIRST.index(count.level), -count.findings, count.title)))
