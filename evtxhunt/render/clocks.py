"""By how much each host's clock differs from the others', from the pairs that clock_skew names."""

from collections.abc import Iterable, Mapping

from evtxhunt.report_model import ReportSkew


def clock_offsets(skews: Iterable[ReportSkew], host_of: Mapping[str, str]) -> dict[str, float]:
    """Host -> seconds that its clock is ahead of the reference: the host that most others agree with.

    Hosts without a skewed pair on their way to the reference are not named; one whose pairs do not connect it to the
    reference cannot be corrected and is not named either.
    """
    ahead: dict[str, dict[str, float]] = {}
    for skew in skews:
        one, other = host_of.get(skew.computer, skew.computer), host_of.get(skew.other_computer, skew.other_computer)
        # A session or a ticket takes some tenths of a second: what is not marked as skewed counts as equal.
        seconds = skew.seconds_ahead if skew.is_skewed else 0.0
        ahead.setdefault(one, {}).setdefault(other, seconds)
        ahead.setdefault(other, {}).setdefault(one, -seconds)
    if not ahead:
        return {}
    reference = min(ahead, key=lambda host: (-sum(value == 0 for value in ahead[host].values()), host))
    offsets = {reference: 0.0}
    waiting = [reference]
    while waiting:
        host = waiting.pop(0)
        for other, seconds in sorted(ahead[host].items()):
            if other not in offsets:
                offsets[other] = offsets[host] + seconds
                waiting.append(other)
    return {host: round(seconds, 3) for host, seconds in sorted(offsets.items()) if seconds}
