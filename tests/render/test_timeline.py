"""The time axis and the marks on it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from reports import burst_report, realistic_report

from evtxhunt.model import ChannelCount, ReportFinding
from evtxhunt.render.axis import choose_axis, make_ticks
from evtxhunt.render.clock import Clock
from evtxhunt.render.overview import order_findings
from evtxhunt.render.svg import make_timeline


def findings_at(*times: datetime | None, host: str | None = "DC1") -> tuple[ReportFinding, ...]:
    base = realistic_report().findings[0]
    return order_findings(
        replace(base, finding_id=number, event_time=time, host=host) for number, time in enumerate(times)
    )


def test_absurd_and_missing_times_lie_outside_of_the_axis() -> None:
    start = datetime(2026, 3, 14)
    findings = findings_at(start, datetime(1601, 1, 1), start + timedelta(minutes=9), None, datetime(2185, 7, 21))
    timeline = make_timeline(findings, (), Clock("UTC"))
    assert timeline.axis is not None
    assert timeline.axis.end - timeline.axis.start < timedelta(minutes=11)
    assert {findings[position].event_time for position in timeline.outside} == {
        None,
        datetime(1601, 1, 1),
        datetime(2185, 7, 21),
    }


def test_one_time_years_off_does_not_squash_the_rest_but_a_week_off_stays() -> None:
    burst = [datetime(2026, 3, 14) + timedelta(seconds=number) for number in range(100)]
    stray, week = datetime(2012, 1, 1), datetime(2026, 3, 7)
    axis = choose_axis([stray, week, *burst])
    assert axis is not None
    assert not axis.has(stray)
    assert axis.has(week)
    assert axis.has(burst[-1])


def test_few_findings_over_years_share_one_axis() -> None:
    times = [datetime(2012, 1, 1), datetime(2019, 1, 1), datetime(2026, 1, 1)]
    axis = choose_axis(times)
    assert axis is not None
    assert all(axis.has(time) for time in times)


@pytest.mark.parametrize(
    ("span", "labels"),
    [
        (timedelta(0), ["00:59:56", "00:59:58", "01:00:00", "01:00:02", "01:00:04"]),
        (timedelta(minutes=50), ["01:00", "01:10", "01:20", "01:30", "01:40", "01:50"]),
        (timedelta(days=5), ["03-14", "03-15", "03-16", "03-17", "03-18", "03-19"]),
        (timedelta(days=300), ["2026-05", "2026-07", "2026-09", "2026-11", "2027-01"]),
        (timedelta(days=365 * 14), ["2030", "2035", "2040"]),
    ],
)
def test_ticks_are_round_times_and_few(span: timedelta, labels: list[str]) -> None:
    start = datetime(2026, 3, 14, 1)
    axis = choose_axis([start, start + span])
    assert axis is not None
    shown = [tick.label for tick in make_ticks(axis, Clock("UTC"))]
    assert shown == labels


def test_ticks_are_round_in_the_zone_and_keep_their_order_when_clocks_change() -> None:
    start = datetime(2026, 10, 24, 22)
    axis = choose_axis([start, start + timedelta(hours=6)])
    assert axis is not None
    ticks = make_ticks(axis, Clock("Europe/Vienna"))
    positions = [tick.position for tick in ticks]
    assert positions == sorted(positions)
    assert [tick.label for tick in ticks][:4] == ["00:00", "01:00", "02:00", "03:00"]
    assert ticks[0].context == "2026-10-25"


def test_thousands_of_findings_at_one_time_are_a_handful_of_marks() -> None:
    report = burst_report(3_500)
    timeline = make_timeline(order_findings(report.findings), report.channels, Clock("UTC"))
    (lane,) = timeline.lanes
    assert len(lane.marks) < 10
    assert sum(len(mark.positions) for mark in lane.marks) == 3_500
    assert lane.marks[0].title.startswith("medium: ")


def test_lanes_are_ordered_by_worst_level_and_bounded_in_number() -> None:
    base = realistic_report().findings[0]
    many = order_findings(
        replace(base, finding_id=number, host=f"H{number:03}", level="critical" if number == 90 else "low")
        for number in range(100)
    )
    timeline = make_timeline(many, (), Clock("UTC"))
    assert timeline.lanes[0].label == "H090"
    assert [lane.label for lane in timeline.lanes][-1] == "40 more hosts"
    assert sum(lane.findings for lane in timeline.lanes) == 100


def test_lane_shows_how_far_the_host_s_logs_reach() -> None:
    start = datetime(2026, 3, 14)
    findings = findings_at(start, start + timedelta(hours=10))
    channel = ChannelCount("DC1", "Security", 5, datetime(1601, 1, 1), start + timedelta(hours=5))
    (lane,) = make_timeline(findings, (channel,), Clock("UTC")).lanes
    assert lane.extent == (0.0, pytest.approx(50.0))


def test_clock_shows_what_python_can_hold() -> None:
    assert Clock("UTC").text(datetime(2019, 5, 16, 1, 35, 0, 123456)) == "2019-05-16 01:35:00.123456Z"
    assert Clock("Europe/Vienna").text(datetime(2019, 5, 16, 1, 35)) == "2019-05-16 03:35:00.000000+02:00"
    assert Clock("America/New_York").text(datetime.min) == "0001-01-01 00:00:00.000000Z"
    assert Clock("Etc/UTC").utc(datetime(2019, 5, 16)) == datetime(2019, 5, 16)
