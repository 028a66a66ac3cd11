"""What the report is made of, by exact values: story, graph, matrix, blind spans, clocks and packed data."""

import base64
import json
import zlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from reports import empty_report, realistic_report

from evtxhunt.model import ChannelCount, Report
from evtxhunt.render.clock import Clock
from evtxhunt.render.clocks import clock_offsets
from evtxhunt.render.graph import make_graph
from evtxhunt.render.involved import involved_accounts, involved_hosts
from evtxhunt.render.matrix import make_matrix, tactics_of
from evtxhunt.render.overview import order_findings
from evtxhunt.render.packed import microseconds, pack_blocks, pack_table
from evtxhunt.render.page_data import case_key, time_zones
from evtxhunt.render.spans import BlindSpan, blind_spans
from evtxhunt.render.story import Sentence, cite, tell_story
from evtxhunt.render.svg import Picture, make_timeline
from evtxhunt.report_model import ReportCoverage, ReportSkew

START = datetime(2026, 3, 14, 1, 0, 0, 123456)


def words(sentence: Sentence) -> str:
    return "".join(str(piece.time) if piece.kind == "time" else piece.text for piece in sentence.pieces)


# The story


def test_the_story_is_told_in_sentences_that_cite_and_link() -> None:
    report = realistic_report()
    story = tell_story(report)
    assert [words(sentence) for sentence in story] == [
        "The earliest finding of level medium or worse is of 2026-03-14 01:02:00.123456 on DC1: Burst of failed logons"
        " from one source, administrator.",
        "2 remoting sessions began between 2026-03-14 01:33:00.123456 and 2026-03-14 01:42:00.123456, under"
        " CORP\\da-smith, on DC1 and SRV-FILE; 1 of 2 with high confidence, which is three or more independent kinds of"
        " witnesses. The first is session 1.",
        "From within session 1 CORP\\da-smith went on from SRV-FILE to DC1 as CORP\\adm-lee (explicit credentials,"
        " confidence high).",
        "1 second hop was refused, towards backup9.",
        "Gravest are 3 findings of level critical: Logon with other network credentials (type 9, seclogo) on WS07;"
        " Security log cleared on DC1.",
        "Logs were cleared: Security of SRV-FILE at 2026-03-14 01:52:54.123456 (nothing from before is in this case).",
    ]
    assert story[2].records == (3, 4)
    assert (len(story[1].records), story[1].more) == (4, 2)
    assert [piece.link for piece in story[0].pieces if piece.link] == ["finding-1"]
    assert cite(report.records[0]) == "Security 4625 #70000"


def test_every_sentence_that_claims_an_event_cites_records() -> None:
    report = realistic_report()
    claims = [sentence for sentence in tell_story(report) if not words(sentence).startswith("Logs were cleared")]
    assert len(claims) == 5 and all(sentence.records for sentence in claims)
    told = tell_story(replace(report, lines=(replace(report.lines[0], kind="log cleared", records=(7,)),)))
    (cleared,) = [sentence for sentence in told if words(sentence).startswith("Logs were cleared")]
    assert cleared.records == (7,)


def test_an_empty_case_has_one_sentence_that_claims_nothing() -> None:
    (sentence,) = tell_story(empty_report())
    assert words(sentence).startswith("No remoting session, no second hop and no finding of level medium or worse")
    assert sentence.records == ()


def test_accounts_and_hosts_are_told_with_their_parts_gravest_first() -> None:
    report = realistic_report()
    hosts = involved_hosts(report, dict(report.places))
    assert [(host.name, host.level) for host in hosts] == [
        ("SRV-FILE", "critical"),
        ("DC1", "critical"),
        ("WS07", "critical"),
    ]
    assert hosts[0].roles == {"target of sessions": 1, "source of sessions": 1, "way on to others": 2}
    accounts = {account.name: account for account in involved_accounts(report)}
    assert accounts["CORP\\da-smith"].roles == {"ran sessions": 2}
    assert accounts["CORP\\adm-lee"].roles == {"went on as it": 2}
    assert accounts["WinRM VA_1"].roles == {"sessions ran as it": 1}


# The graph


def test_graph_has_hosts_in_columns_by_distance_and_an_arrow_for_each_way() -> None:
    report = realistic_report()
    graph = make_graph(report, dict(report.places))
    columns = {node.name: node.x for node in graph.nodes}
    assert columns["WS07"] < columns["SRV-FILE"] < columns["DC1"]
    assert {node.name for node in graph.nodes if not node.is_collected} == {"backup9"}
    ways = {(graph.nodes[edge.source].name, graph.nodes[edge.target].name): edge for edge in graph.edges}
    assert set(ways) == {("WS07", "SRV-FILE"), ("SRV-FILE", "DC1"), ("SRV-FILE", "backup9")}
    assert (ways["SRV-FILE", "DC1"].is_hop, ways["SRV-FILE", "DC1"].is_failed) == (True, False)
    assert ways["SRV-FILE", "backup9"].is_failed
    assert ways["WS07", "SRV-FILE"].detail == "1 session"
    (path,) = graph.paths
    assert [graph.edges[edge].sessions for edge in path] == [(1,), (2,)]


def test_graph_stands_circles_loops_and_more_hosts_than_it_draws() -> None:
    report = realistic_report()
    base = report.sessions[0]
    circle = [("a", "b"), ("b", "c"), ("c", "a"), ("a", "a"), ("b", "a")]
    sessions = tuple(
        replace(base, session_id=number, source=source, target=target) for number, (source, target) in enumerate(circle)
    )
    graph = make_graph(replace(report, sessions=sessions, hops=(), paths=()), {})
    assert len(graph.nodes) == 3 and len(graph.edges) == 5
    assert len({(node.x, node.y) for node in graph.nodes}) == 3
    many = tuple(replace(base, session_id=number, source="hub", target=f"h{number:03}") for number in range(300))
    graph = make_graph(replace(report, sessions=many, hops=(), paths=()), {})
    assert len(graph.nodes) == 80 and graph.left_out == 221
    assert make_graph(empty_report(), {}).nodes == ()


# The matrix


def test_matrix_counts_a_finding_once_a_tactic_and_keeps_what_it_does_not_know() -> None:
    finding = replace(realistic_report().findings[0], level="low", attack=("T1021.006", "T1021.002", "T9999"))
    worse = replace(finding, level="high", attack=("T1021.006",))
    matrix = make_matrix([finding, worse])
    assert [(tactic.name, tactic.findings) for tactic in matrix.tactics] == [
        ("Lateral Movement", 2),
        ("Not in the matrix", 1),
    ]
    cells = [(cell.technique, cell.name, cell.findings, cell.level) for cell in matrix.tactics[0].techniques]
    assert cells == [
        ("T1021.006", "Remote Services: Windows Remote Management", 2, "high"),
        ("T1021.002", "Remote Services: SMB/Windows Admin Shares", 1, "low"),
    ]
    assert len(matrix.silent) == 13 and "MITRE" in matrix.attribution
    assert tactics_of(("T1078", "T1021.006"))[-1] == "lateral-movement"


# What could not be seen


def test_blind_spans_are_before_and_after_all_records_and_before_a_clearing() -> None:
    hour = timedelta(hours=1)
    channels = [
        ChannelCount("A", "Security", 1, START + hour, START + 9 * hour),
        ChannelCount("A", "System", 1, START, START + 8 * hour),
    ]

    def log(channel: str, first: datetime | None, cleared: datetime | None) -> ReportCoverage:
        return ReportCoverage("a", "A", channel, 1, first, START + 8 * hour, 0, cleared, first is None, "")

    spans = blind_spans(
        channels,
        [
            log("Security", START + 3 * hour, START + 3 * hour),
            log("System", START, None),
            log("Late", START + 5 * hour, None),
            log("Archived", START, START + 3 * hour),
            log("Absent", None, None),
        ],
    )
    assert spans == (
        BlindSpan("A", None, START, None, "no record of this host is from before"),
        BlindSpan("A", START + 9 * hour, None, None, "no record of this host is from after"),
        BlindSpan("A", START, START + 3 * hour, "Security", "the log was cleared"),
        BlindSpan("A", START, START + 5 * hour, "Late", "the log begins later than others here"),
    )


def test_clocks_are_compared_with_the_one_that_most_agree_with() -> None:
    def skew(one: str, other: str, seconds: float) -> ReportSkew:
        return ReportSkew(one, other, seconds, seconds, seconds, 3, "ticket", abs(seconds) > 2)

    skews = [skew("dc", "a", 0.1), skew("dc", "b", 90.0), skew("b", "c", -30.0), skew("x", "y", 500.0)]
    assert clock_offsets(skews, {"b": "B"}) == {"B": 90.0, "c": 60.0}
    assert clock_offsets([], {}) == {}


# The timeline's bars and arrows


def test_sessions_that_overlap_stand_below_one_another_and_hops_lead_from_lane_to_lane() -> None:
    report = realistic_report()
    base = report.sessions[0]
    overlapping = tuple(replace(base, session_id=number) for number in range(3))
    later = replace(base, session_id=9, start_time=base.start_time + timedelta(hours=1), end_time=None)
    picture = Picture((*overlapping, later), report.hops, (), dict(report.places))
    timeline = make_timeline(order_findings(report.findings), report.channels, Clock("UTC"), picture)
    lanes = {lane.label: lane for lane in timeline.lanes}
    assert [bar.track for bar in lanes["SRV-FILE"].bars] == [0, 1, 2, 0]
    assert "end unknown" in lanes["SRV-FILE"].bars[-1].title
    assert set(lanes) == {"DC1", "SRV-FILE", "WS07", "backup9"}
    arrow = timeline.arrows[0]
    assert lanes["SRV-FILE"].y < arrow.y1 < lanes["SRV-FILE"].y + lanes["SRV-FILE"].height
    assert lanes["DC1"].y < arrow.y2 < lanes["DC1"].y + lanes["DC1"].height
    assert [arrow.is_failed for arrow in timeline.arrows] == [False, True]


# The page's data


@dataclass(frozen=True)
class Row:
    event_time: datetime | None
    name: str | None
    number: int | None


def test_tables_are_packed_as_columns_with_each_text_once_and_times_as_differences() -> None:
    rows = [
        Row(START, "a", 1),
        Row(None, None, None),
        Row(START + timedelta(seconds=1), "a", 2**60),
        Row(datetime(1601, 1, 1), "b", 0),
    ]
    first = 1_773_450_000_123_456
    assert pack_table(rows, ("event_time", "name", "number")) == {
        "n": 4,
        "c": {
            "event_time": {"t": [first, None, 1_000_000, "1601-01-01 00:00:00.000000Z"]},
            "name": {"d": ["a", "b"], "v": [0, -1, 0, 1]},
            "number": {"v": [1, None, str(2**60), 0]},
        },
    }
    assert microseconds(START) == first


def test_blocks_hold_the_texts_in_order_and_are_not_larger_than_needed() -> None:
    texts = [None if number % 7 == 0 else f"text {number}" for number in range(2_500)] + ["x" * 3_000_000, "y"]
    starts, blocks = pack_blocks(texts)
    assert starts == [0, 1_000, 2_000, 2_501]
    unpacked = [text for block in blocks for text in json.loads(zlib.decompress(base64.b64decode(str(block))))]
    assert unpacked == texts
    assert pack_blocks([]) == ([], [])


def test_the_case_is_known_by_its_evidence_alone() -> None:
    report = realistic_report()
    turned = replace(report, sources=tuple(reversed(report.sources)), title="other", findings=())
    assert case_key(report) == case_key(turned) != case_key(replace(report, sources=report.sources[1:3]))


@pytest.mark.parametrize(
    ("own", "first"), [("UTC", "UTC"), ("Europe/Vienna", "Europe/Vienna"), ("Asia/Tokyo", "Asia/Tokyo")]
)
def test_the_report_s_zone_stands_first_among_those_to_choose(own: str, first: str) -> None:
    zones = time_zones(own)
    assert zones[0] == first and "UTC" in zones and len(set(zones)) == len(zones)


def test_reports_without_places_name_computers_themselves() -> None:
    report: Report = replace(realistic_report(), places=())
    assert "ws07.corp.example" in {node.name for node in make_graph(report, {}).nodes}
