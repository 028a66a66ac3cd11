"""When the logs of a host could not show anything: the hatched spans of its lane."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from evtxhunt.model import ChannelCount
from evtxhunt.report_model import ReportCoverage

# Logs that begin so much later than the host's first record have lost their beginning, or nothing was written before.
_LATER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class BlindSpan:
    """A time of which a host's logs tell nothing. None: from the beginning, or to the end of the picture."""

    host: str | None
    start: datetime | None
    end: datetime | None
    channel: str | None  # None: no log of the host has anything
    reason: str


def blind_spans(channels: Sequence[ChannelCount], coverage: Iterable[ReportCoverage]) -> tuple[BlindSpan, ...]:
    """Outside of all records of a host; before a log was cleared; before a log that begins later than the others."""
    extents: dict[str | None, tuple[datetime, datetime]] = {}
    for channel in channels:
        if channel.first_time is not None and channel.last_time is not None:
            first, last = extents.get(channel.host, (channel.first_time, channel.last_time))
            extents[channel.host] = (min(first, channel.first_time), max(last, channel.last_time))
    spans: list[BlindSpan] = []
    for host, (first, last) in sorted(extents.items(), key=lambda item: (item[0] is None, item[0] or "")):
        spans.append(BlindSpan(host, None, first, None, "no record of this host is from before"))
        spans.append(BlindSpan(host, last, None, None, "no record of this host is from after"))
    for row in coverage:
        extent = extents.get(row.host)
        if extent is None or row.first_time is None:
            continue
        if row.cleared_time is not None:
            # An archived copy may hold what was in the log before it was cleared.
            start = extent[0] if row.first_time >= row.cleared_time - _LATER else None
            if start is not None and start < row.cleared_time:
                spans.append(BlindSpan(row.host, start, row.cleared_time, row.channel, "the log was cleared"))
        elif row.first_time > extent[0] + _LATER:
            spans.append(
                BlindSpan(row.host, extent[0], row.first_time, row.channel, "the log begins later than others here")
            )
    return tuple(spans)
