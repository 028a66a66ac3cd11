"""A report as Markdown for a ticket: short, cited, and with log text that nothing can make act.

Log text stands in code spans. There GitHub, GitLab and Jira make no link, image, mention, reference or HTML of it.
Backslashes would not do: mentions and bare addresses are looked for after escapes are gone.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import groupby

from evtxhunt.model import Report, ReportFinding, ReportHop, ReportRecord, ReportSession, ReportSource
from evtxhunt.render.clock import Clock
from evtxhunt.render.overview import WORST_FIRST, Overview, make_overview, order_findings
from evtxhunt.render.story import Piece, Sentence, origin_mark, tell_story
from evtxhunt.render.text import cut, show_hidden

# A description in Jira holds 32,767 characters, a comment on GitHub 65,536. Each section takes at most its share.
MOST_CHARACTERS = 32_000
_SHARES = {
    "story": 5_000,
    "findings": 9_000,
    "sessions": 4_500,
    "hops": 2_500,
    "unseen": 3_000,
    "sources": 3_500,
}
_LONGEST_TEXT = 300
_LONGEST_NAME = 120
_LONGEST_STORY_NAME = 60
_FINDINGS_OF_A_DETECTION = 5
_RECORDS_OF_A_FINDING = 3
_RECORDS_OF_A_SENTENCE = 2
_UNKNOWN = "—"

_Time = Callable[[datetime | None], str]
# Words that are text in every dialect: no mark-up, address, mention or reference can be made of them.
_REFERENCE = re.compile(r"\b[0-9a-fA-F]{7,}\b")  # to a commit
_OWN_WORDS = re.compile(r"[A-Za-z0-9 ,;:.()]{0,200}")
_PLAIN = re.compile(r"[A-Za-z]{1,24}(?:[,:]? \(?(?:[A-Za-z]{1,24}|[0-9]{1,4})\)?)*")


def render_markdown(report: Report) -> str:
    """CommonMark with tables, at most MOST_CHARACTERS long; what is left out is counted, with the way to it.

    The same report gives the same text, without lone surrogates. Raises EvtxhuntError if the time zone is unknown.
    """
    clock = Clock(report.time_zone)

    def when(time: datetime | None) -> str:
        return _UNKNOWN if time is None else clock.text(time)

    findings = order_findings(report.findings)
    overview = make_overview(report, findings)
    sections = (
        [f"# {plain_or_code(report.title)}", "", *_scope(report, overview, when)],
        ["## What happened", "", *_story(report, when)],
        ["## What was found", "", *_findings(report, findings, overview, when)],
        ["## Remoting sessions", "", *_sessions(report, when)],
        ["## Second hops", "", *_hops(report, when)],
        ["## What could not be seen", "", *_unseen(report, overview)],
        ["## Sources", "", *_sources(report)],
    )
    end = (
        f"Made by evtxhunt {code(report.version)}. Times are in {code(report.time_zone)}."
        f" {_UNKNOWN} stands for what is not known."
    )
    return "\n\n".join("\n".join(lines).rstrip() for lines in (*sections, [end])) + "\n"


def code(value: object, limit: int = _LONGEST_NAME) -> str:
    r"""Log text as a code span on one line, its hidden characters as escapes, longer than `limit` cut and counted.

    A | becomes \x7c: dialects disagree on how to write one in a table.
    """
    if value is None or value == "":
        return _UNKNOWN
    text = str(value)
    shown = cut(show_hidden(text[: limit + 1]).replace("|", "\\x7c"), limit)
    # Delimiters one longer than any within; a blank at each end is taken away when it is read.
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    padded = f" {shown} " if shown.strip(" ") and (shown[0] in "` " or shown[-1] in "` ") else shown
    rest = f" ({len(text):,} characters)" if len(text) > limit else ""
    return f"{fence}{padded}{fence}{rest}"


def plain_or_code(value: str, limit: int = _LONGEST_NAME) -> str:
    """Words as they are, all else as a code span: for titles, which an own rule may have written."""
    text = value if len(value) <= limit else ""
    return text if _PLAIN.fullmatch(text) and not _REFERENCE.search(text) else code(value, limit)


def _fit(entries: Iterable[Sequence[str]], share: str) -> tuple[list[str], int]:
    """As many entries, each of whole lines, as the section's share holds; and how many these are."""
    lines: list[str] = []
    room, count = _SHARES[share], 0
    for entry in entries:
        room -= sum(len(line) + 1 for line in entry)
        if room < 0:
            break
        lines += entry
        count += 1
    return lines, count


def _left_out(shown: int, total: int, what: str, command: str) -> list[str]:
    return [] if shown >= total else ["", f"{total - shown:,} of {total:,} {what} left out. All of them: `{command}`"]


def _names(values: Sequence[str | None], most: int = 10) -> str:
    rest = f" and {len(values) - most:,} more" if len(values) > most else ""
    return (", ".join(code(name, 60) for name in values[:most]) or _UNKNOWN) + rest


def _scope(report: Report, overview: Overview, when: _Time) -> list[str]:
    start, end = report.window
    limits = [
        *([f"host {code(report.only_host)}"] if report.only_host is not None else []),
        *([f"from {when(start)}"] if start else []),
        *([f"before {when(end)}"] if end else []),
    ]
    return [
        f"- **Hosts** {_names(overview.hosts)}",
        f"- **Time** {when(report.first_time)} to {when(report.last_time)}",
        f"- **Read** {report.event_count:,} events in {len(overview.channel_names):,} channels,"
        f" {len(report.sources):,} log files",
        *([f"- **Recovered** {overview.recovered}"] if overview.recovered else []),
        f"- **Limited to** {', '.join(limits) or 'nothing; this is the whole case'}",
        *("- **Redacted** " + line.replace("\\", "\\\\") for line in report.redaction),  # DOMAIN\\name as it is
    ]


def _story(report: Report, when: _Time) -> list[str]:
    sentences = tell_story(report)
    lines, shown = _fit(([_story_line(report, sentence, when)] for sentence in sentences), "story")
    return [*lines, *_left_out(shown, len(sentences), "sentences", "evtxhunt report")]


def _story_line(report: Report, sentence: Sentence, when: _Time) -> str:
    cited = [_citation(report, report.records[index]) for index in sentence.records[:_RECORDS_OF_A_SENTENCE]]
    rest = len(sentence.records) - len(cited) + sentence.more
    more = f" and {rest:,} more" if rest else ""
    return f"- {''.join(_piece(piece, when) for piece in sentence.pieces)}" + (
        f" Records: {'; '.join(cited)}{more}" if cited else ""
    )


def _piece(piece: Piece, when: _Time) -> str:
    if piece.kind == "time":
        return when(piece.time)
    if piece.kind == "text" and _OWN_WORDS.fullmatch(piece.text) and not _REFERENCE.search(piece.text):
        return piece.text
    return plain_or_code(piece.text, _LONGEST_STORY_NAME)


def _findings(report: Report, findings: Sequence[ReportFinding], overview: Overview, when: _Time) -> list[str]:
    if not findings:
        return ["No detection found anything in what could be read."]
    table = ["| level | findings |", "|---|---|", *(f"| {level} | {count:,} |" for level, count in overview.levels)]
    lines, shown = [], 0
    room = _SHARES["findings"]
    for level in WORST_FIRST:
        heading = ["", f"### {level.capitalize()}", ""]
        own = sorted(
            (item for item in findings if item.level == level), key=lambda item: (item.title, item.detection_id)
        )
        for (title, detection_id), group in groupby(own, key=lambda item: (item.title, item.detection_id)):
            entries = list(group)
            block = [*heading, _detection_line(title, detection_id, entries)]
            block += [_finding_line(report, item, when) for item in entries[:_FINDINGS_OF_A_DETECTION]]
            if len(entries) > _FINDINGS_OF_A_DETECTION:
                block.append(f"  - and {len(entries) - _FINDINGS_OF_A_DETECTION:,} more of this detection")
            room -= sum(len(line) + 1 for line in block)
            if room < 0:
                break
            heading = []
            lines += block
            shown += min(len(entries), _FINDINGS_OF_A_DETECTION)
        if room < 0:
            break
    return [*table, *lines, *_left_out(shown, report.finding_count, "findings", "evtxhunt detect --format csv")]


def _detection_line(title: str, detection_id: str, entries: Sequence[ReportFinding]) -> str:
    techniques = sorted({technique for item in entries for technique in item.attack})
    ids = ", ".join(map(code, [detection_id, *techniques[:8]]))
    return f"- **{plain_or_code(title)}** ({ids}): {_count(len(entries), 'finding')}"


def _finding_line(report: Report, finding: ReportFinding, when: _Time) -> str:
    cited = [_citation(report, report.records[index]) for index in finding.records[:_RECORDS_OF_A_FINDING]]
    more = finding.record_count - len(cited)
    records = "; ".join(cited) + (f" and {more:,} more records" if more > 0 else "") if cited else "none"
    return (
        f"  - {when(finding.event_time)} on {code(finding.host)}, user {code(finding.user_name)}:"
        f" {code(finding.summary, _LONGEST_TEXT)} Records: {records}"
    )


def _citation(report: Report, record: ReportRecord) -> str:
    """Channel, EventID, EventRecordID and which log, by its number in Sources."""
    return (
        f"{code(record.channel)} event {_number(record.event_id)}, EventRecordID {_number(record.event_record_id)}"
        f" in source {report.sources[record.source].source_file_id}{origin_mark(record)}"
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _number(value: int | None) -> str:
    return _UNKNOWN if value is None else str(value)


def _sessions(report: Report, when: _Time) -> list[str]:
    if not report.sessions:
        return ["None was seen in scope. That is no proof that there was none: see what could not be seen."]
    lines, shown = _fit((_session_entry(session, when) for session in report.sessions), "sessions")
    return [*lines, *_left_out(shown, report.session_count, "sessions", "evtxhunt sessions")]


def _session_entry(session: ReportSession, when: _Time) -> list[str]:
    runs_as = f", running as {code(session.run_as_user_name)}" if session.run_as_user_name else ""
    entry = [
        f"- **{session.session_id}** {when(session.start_time)} to {when(session.end_time)}"
        f" ({plain_or_code(session.end_reason)}): {plain_or_code(session.kind)} from {code(session.source)}"
        f" to {code(session.target)} as {code(session.user_name)}{runs_as}, by {code(session.authentication_package)};"
        f" {_count(session.script_blocks, 'script block')}, {_count(session.commands, 'command')},"
        f" {_count(session.child_processes, 'program')}",
        f"  - confidence {plain_or_code(session.confidence)}: {code(session.reason, _LONGEST_TEXT)}",
        f"  - records: {code(session.records, _LONGEST_TEXT)}, {session.record_count:,} in all",
    ]
    if session.missing:
        entry.append(f"  - not seen: {code(session.missing, _LONGEST_TEXT)}")
    return entry


def _hops(report: Report, when: _Time) -> list[str]:
    if not report.hops:
        return ["None was seen in scope. That is no proof that there was none: see what could not be seen."]
    lines, shown = _fit((_hop_entry(hop, when) for hop in report.hops), "hops")
    return [*lines, *_left_out(shown, report.hop_count, "hops", "evtxhunt hops")]


def _hop_entry(hop: ReportHop, when: _Time) -> list[str]:
    to_session = f" (session {hop.to_session_id})" if hop.to_session_id is not None else ""
    return [
        f"- **{hop.hop_id}** {when(hop.event_time)}: {code(hop.source)} to {code(hop.via)}"
        f" (session {hop.from_session_id}) to {code(hop.target)}{to_session} by {plain_or_code(hop.method)}"
        f"{', refused' if hop.is_failed else ''}; {code(hop.user_name)} goes on as {code(hop.next_user_name)}",
        f"  - confidence {plain_or_code(hop.confidence)}: {code(hop.reason, _LONGEST_TEXT)}",
        f"  - records: {code(hop.records, _LONGEST_TEXT)}",
    ]


def _unseen(report: Report, overview: Overview) -> list[str]:
    entries: list[list[str]] = []
    if overview.is_complete:
        entries.append([f"- All records of all {len(report.sources):,} logs were read and every detection ran."])
    if not report.sources:
        entries.append(["- The case has no logs."])
    if not report.detections:
        entries.append(["- No detection ran."])
    if overview.is_limited:
        entries.append(["- Only part of the case is shown, see the scope above."])
    if overview.damaged:
        entries.append(
            [
                f"- {_count(len(overview.damaged), 'log')} could not be read completely:"
                f" {_count(overview.failed_records, 'record')}"
                f" that should be there, {_count(report.failure_count, 'failure')}"
                ' (`evtxhunt sql "SELECT * FROM parse_failure"`):'
            ]
        )
        entries += [
            [f"  - source {item.source_file_id}: {_number(item.failed)} of {_number(item.expected)} records"]
            for item in overview.damaged
        ]
    entries += [
        [f"- Detection {code(item.detection_id)} did not run: {code(item.error, _LONGEST_TEXT)}"]
        for item in overview.failed_detections
    ]
    if overview.inapplicable_rules:
        entries.append(
            [
                f"- {_count(overview.inapplicable_rules, 'Sigma rule')} could find nothing here:"
                " no events of the log source, or a placeholder is missing"
            ]
        )
    entries += [[f"- {_count(count, 'file')} skipped: {code(reason)}"] for reason, count in overview.unread]
    entries += [
        [f"- {_count(count, 'finding')} of {code(detection)} set aside as known: {code(reason, _LONGEST_TEXT)}"]
        for detection, reason, count in report.allowed
    ]
    entries += [
        [f"- Not observable: {code(line.statement, _LONGEST_TEXT)}; {code(line.because, _LONGEST_TEXT)}"]
        for line in report.review
        if line.verdict == "not observable"
    ]
    entries.append(["- What each log could have told, and why it may not: `evtxhunt coverage`"])
    lines, shown = _fit(entries, "unseen")
    return [*lines, *_left_out(shown, len(entries), "lines", "evtxhunt report")]


def _sources(report: Report) -> list[str]:
    if not report.sources:
        return ["None."]
    cited = {report.records[index].source for finding in report.findings for index in finding.records}
    # Those that findings rest on come first, so that what is left out is what nothing is cited from.
    ordered = sorted(range(len(report.sources)), key=lambda index: (index not in cited, index))
    lines, shown = _fit((_source_entry(report.sources[index]) for index in ordered), "sources")
    return [*lines, *_left_out(shown, len(report.sources), "logs", "evtxhunt info")]


def _source_entry(source: ReportSource) -> list[str]:
    found = ((source.rescued, "rescued"), (source.slack, "from slack"), (source.carved, "carved"))
    beside = "".join(f", {count:,} {what}" for count, what in found if count)
    copy = f" of source {source.copy_of}" if source.copy_of is not None else ""
    copies = f" ({source.duplicate:,} as copies)" if source.duplicate and source.copy_of is None else ""
    return [
        f"- **{source.source_file_id}** {code(source.path, 200)}: {code(source.channel)}, {source.size:,} bytes,"
        f" {plain_or_code(source.status)}{copy}, {_number(source.parsed)} of {_number(source.expected)} records{beside}"
        f"{copies}, SHA-256 {code(source.sha256)}"
    ]
