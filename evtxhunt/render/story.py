"""The case in about five sentences, each with its records. It tells what the logs witness, not who meant what."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from evtxhunt.model import LEVELS, Report, ReportFinding, ReportHop, ReportRecord, ReportSession
from evtxhunt.report_model import ReportPath

_MOST_CITED = 4
_MOST_NAMES = 4
_SHORT_CHANNELS = {
    "Microsoft-Windows-Sysmon/Operational": "Sysmon",
    "Microsoft-Windows-WinRM/Operational": "WinRM",
    "Microsoft-Windows-PowerShell/Operational": "PowerShell",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a sentence. kind: 'text' is ours, 'name' is log text, 'time' has `time`; `link` is an anchor."""

    kind: str
    text: str = ""
    time: datetime | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence; `records` are indexes into Report.records, `more` how many are not named here."""

    pieces: tuple[Piece, ...]
    records: tuple[int, ...]
    more: int = 0


def cite(record: ReportRecord) -> str:
    """The short words for a record, as the view `citation` has them: `Security 4624 #4711`."""
    channel = _SHORT_CHANNELS.get(record.channel or "", record.channel or "?")
    number = "?" if record.event_record_id is None else record.event_record_id
    return f"{channel} {'?' if record.event_id is None else record.event_id} #{number}{origin_mark(record)}"


def origin_mark(record: ReportRecord) -> str:
    """What follows the citation of a record that is in no log as such: ' (slack)', ' (carved)', else nothing."""
    return f" ({record.origin})" if record.origin in ("slack", "carved") else ""


def tell_story(report: Report) -> tuple[Sentence, ...]:
    """What happened, as far as the logs of this report witness it."""
    places = dict(report.places)
    grave = [finding for finding in report.findings if LEVELS.index(finding.level) >= LEVELS.index("medium")]
    told = [
        *_entry(grave),
        *_sessions(report.sessions, report.session_count, places),
        *_chains(report, places),
        *_gravest(grave),
        *_cleared(report),
    ]
    if not told:
        text = "No remoting session, no second hop and no finding of level medium or worse is witnessed by these logs."
        return (Sentence((Piece("text", text),), ()),)
    return tuple(told)


def earliest(findings: Iterable[ReportFinding]) -> ReportFinding | None:
    """The first finding that has a time."""
    timed = [
        (finding.event_time, finding.finding_id, finding) for finding in findings if finding.event_time is not None
    ]
    return min(timed)[2] if timed else None


def _entry(grave: Sequence[ReportFinding]) -> Iterator[Sentence]:
    first = earliest(grave)
    if first is not None:
        yield _sentence(
            [
                _text("The earliest finding of level medium or worse is of "),
                Piece("time", time=first.event_time),
                _text(" on "),
                _name(first.host),
                _text(": "),
                _name(first.title, f"finding-{first.finding_id}"),
                _text(", "),
                _name(first.user_name or "by an unknown account"),
                _text("."),
            ],
            first.records,
        )


def _sessions(sessions: Sequence[ReportSession], count: int, places: Mapping[str, str]) -> Iterator[Sentence]:
    if not sessions:
        return
    # One that only a forged record without a time shows is no last one.
    first, last = sessions[0], max(sessions, key=lambda session: session.start_time or datetime.min)
    high = sum(session.confidence == "high" for session in sessions)
    pieces = [
        _text(
            f"{_plural(count, 'remoting session')} began between "
            if len(sessions) > 1
            else "One remoting session began at "
        )
    ]
    pieces.append(Piece("time", time=first.start_time))
    if len(sessions) > 1:
        pieces += [_text(" and "), Piece("time", time=last.start_time)]
    pieces += [_text(", under "), *_names(session.user_name for session in sessions)]
    pieces += [_text(", on "), *_names(_host(session.target, places) for session in sessions)]
    sure = "all of them" if high == len(sessions) else f"{high} of {len(sessions)}"
    pieces.append(
        _text(f"; {sure} with high confidence, which is three or more independent kinds of witnesses. The first is ")
    )
    pieces += [_name(f"session {first.session_id}", f"session-{first.session_id}"), _text(".")]
    yield _sentence(pieces, [witness.record for witness in first.detail.witnesses])


def _chains(report: Report, places: Mapping[str, str]) -> Iterator[Sentence]:
    hops = {hop.hop_id: hop for hop in report.hops}
    for path in sorted(report.paths, key=lambda path: (-len(path.hop_ids), path.path_id))[:1]:
        own = [hops[number] for number in path.hop_ids if number in hops]
        if own:
            yield _sentence(_chain(path, own, places), [record for hop in own for record in hop.evidence])
    refused = [hop for hop in report.hops if hop.is_failed]
    if refused:
        yield _sentence(
            [
                _text(
                    f"{_plural(len(refused), 'second hop')} {'was' if len(refused) == 1 else 'were'} refused, towards "
                ),
                *_names(_host(hop.target, places) for hop in refused),
                _text("."),
            ],
            [record for hop in refused for record in hop.evidence],
        )


def _chain(path: ReportPath, hops: Sequence[ReportHop], places: Mapping[str, str]) -> list[Piece]:
    entry = path.entry_session_id
    pieces = [_text("From within "), _name(f"session {entry}", f"session-{entry}"), _text(" ")]
    pieces += [_name(hops[0].user_name or "somebody"), _text(" went on ")]
    for number, hop in enumerate(hops):
        pieces += [_text(" and then " if number else ""), _text("from "), _name(_host(hop.via, places))]
        pieces += [_text(" to "), _name(_host(hop.target, places), "hops")]
        if hop.next_user_name and hop.next_user_name != hop.user_name:
            pieces += [_text(" as "), _name(hop.next_user_name)]
        refused = "refused, " if hop.is_failed else ""
        pieces.append(_text(f" ({refused}{hop.method.replace('_', ' ')}, confidence {hop.confidence})"))
    pieces.append(_text("."))
    return pieces


def _gravest(grave: Sequence[ReportFinding]) -> Iterator[Sentence]:
    if not grave:
        return
    worst = max((finding.level for finding in grave), key=LEVELS.index)
    own = [finding for finding in grave if finding.level == worst]
    titles = list(dict.fromkeys(finding.title for finding in own))
    firsts = [next(finding for finding in own if finding.title == title) for title in titles[:_MOST_NAMES]]
    pieces = [
        _text(
            f"Gravest are {_plural(len(own), 'finding')} of level {worst}: "
            if len(own) > 1
            else f"Gravest is one finding of level {worst}: "
        )
    ]
    for number, finding in enumerate(firsts):
        pieces += [
            _text("; " if number else ""),
            _name(finding.title, f"finding-{finding.finding_id}"),
            _text(" on "),
            _name(finding.host),
        ]
    rest = len(titles) - len(firsts)
    pieces.append(_text(f"; and {_plural(rest, 'other kind')}." if rest else "."))
    yield _sentence(pieces, [record for finding in firsts for record in finding.records[:1]])


def _cleared(report: Report) -> Iterator[Sentence]:
    cleared = [row for row in report.coverage if row.cleared_time is not None]
    if cleared:
        pieces = [_text("Logs were cleared: ")]
        for number, row in enumerate(cleared[:_MOST_NAMES]):
            pieces += [
                _text("; " if number else ""),
                _name(row.channel),
                _text(" of "),
                _name(row.host or row.computer),
            ]
            pieces += [_text(" at "), Piece("time", time=row.cleared_time)]
            is_kept = row.first_time is not None and row.cleared_time is not None and row.first_time < row.cleared_time
            pieces.append(
                _text(
                    " (earlier records are in this case, from another file)"
                    if is_kept
                    else " (nothing from before is in this case)"
                )
            )
        rest = len(cleared) - _MOST_NAMES
        pieces.append(_text(f"; and {_plural(rest, 'log')} more." if rest > 0 else "."))
        records = [record for line in report.lines if line.kind == "log cleared" for record in line.records]
        yield _sentence(pieces, records)


def _sentence(pieces: Sequence[Piece], records: Iterable[int]) -> Sentence:
    cited = tuple(dict.fromkeys(records))
    return Sentence(
        tuple(piece for piece in pieces if piece.text or piece.time),
        cited[:_MOST_CITED],
        max(0, len(cited) - _MOST_CITED),
    )


def _text(text: str) -> Piece:
    return Piece("text", text)


def _name(text: str | None, link: str | None = None) -> Piece:
    return Piece("name", text or "an unknown host", link=link)


def _host(computer: str | None, places: Mapping[str, str]) -> str | None:
    return None if computer is None else places.get(computer.lower(), computer)


def _names(values: Iterable[str | None]) -> Iterator[Piece]:
    """The different names in order, at most four of them."""
    names = sorted({value for value in values if value}, key=str.lower)
    for number, name in enumerate(names[:_MOST_NAMES]):
        yield _text("" if not number else " and " if number == len(names) - 1 else ", ")
        yield _name(name)
    if len(names) > _MOST_NAMES:
        yield _text(f" and {len(names) - _MOST_NAMES} more")
    if not names:
        yield _text("what is not known")


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
