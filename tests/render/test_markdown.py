"""The report for tickets: read by a CommonMark parser with tables, strike-through and bare links, as tickets are."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest
from hostile import PAYLOADS, hostile_report
from markdown_it import MarkdownIt
from markdown_it.token import Token
from reports import burst_report, empty_report, realistic_report

from evtxhunt.model import Report, ReportHop, ReportSession
from evtxhunt.render.markdown import MOST_CHARACTERS, code, plain_or_code, render_markdown
from evtxhunt.render.text import show_hidden

_MARKDOWN = MarkdownIt("gfm-like", {"html": True, "linkify": True}).enable(["table", "strikethrough", "linkify"])
_OURS = {"heading", "paragraph", "bullet_list", "list_item", "table", "thead", "tbody", "tr", "th", "td", "strong"}
# What only a ticket system makes something of.
_TICKETS = (
    "@octocat and @org/team",
    "#123 GH-123 ABC-123 !45 ~bug %3 $7 &5",
    "0123456789abcdef0123456789abcdef01234567",
    "www.evil.example https://evil.example/x mail@evil.example evil.com",
    "![x](https://evil.example/x.png) [x](https://evil.example) [x]: https://evil.example <https://evil.example>",
    "| a | b |\n|---|---|\n| c | d |",
    "\\| a \\\\| b",
    "# heading\n> quote\n- list\n\n```\nfence\n```\n***\n~~gone~~ **bold** _it_",
    "`tick` ``two`` ```three",
    "`",
    "` ",
    "\\`",
    "trailing \\",
    "[ ] [x] :smile: {color:red}x{color} {code}x{code} !image.png! h1. x",
    "&lt;b&gt; &#64;octocat &commat;octocat",
    "<!-- comment",
    "$$ \\sqrt{x} $$ $`x`$",
)


def tokens(text: str) -> Iterator[Token]:
    for token in _MARKDOWN.parse(text):
        yield token
        yield from token.children or ()


def structure(text: str) -> set[str]:
    return {re.sub("_(open|close)$", "", token.type) for token in tokens(text)}


def full_report(payload: str | None = None) -> Report:
    """A report with each part that the Markdown shows; its texts are the payload if one is given."""
    time = datetime(2026, 3, 14, 1)
    session = ReportSession(
        4,
        "powershell",
        time,
        None,
        "not seen",
        "ws07",
        "srv02",
        "CORP\\a",
        "b",
        "Kerberos",
        1,
        2,
        3,
        "high",
        "why",
        "r",
        9,
        "m",
    )
    hop = ReportHop(
        1, time, 4, None, "ws07", "srv02", "dc01", "credssp", "a", "b", True, "low", "why", "Security 4648 #7"
    )
    if payload is None:
        return replace(realistic_report(), sessions=(session,), session_count=1, hops=(hop,), hop_count=1)
    fill = dict.fromkeys(("source", "target", "user_name", "reason", "records", "confidence"), payload)
    return replace(
        hostile_report((payload,)),
        sessions=(
            replace(session, **fill, kind=payload, end_reason=payload, missing=payload, authentication_package=payload),
        ),
        hops=(replace(hop, **fill, via=payload, method=payload, next_user_name=payload),),
        allowed=((payload, payload, 3),),
        redaction=(),
    )


@pytest.mark.parametrize("payload", [*PAYLOADS, *_TICKETS])
def test_hostile_text_is_nothing_but_text(payload: str) -> None:
    text = render_markdown(full_report(payload))
    text.encode("utf-8")
    assert not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f\u2028\u2029\ufeff]", text)
    assert structure(text) <= _OURS | {"inline", "text", "code_inline"}
    html = _MARKDOWN.render(text)
    elements = set(re.findall(r"<\s*/?([a-zA-Z!?][^\s>/]*)", html))
    assert elements <= {
        "h1",
        "h2",
        "h3",
        "p",
        "ul",
        "li",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "strong",
        "code",
    }
    assert set(re.findall(r"<\w+ ([^>]*)>", html)) == set()
    # What a ticket system looks for in text once it is rendered is in code spans only.
    plain = " ".join(token.content for token in tokens(text) if token.type == "text")
    assert not re.search(r"@\w|#\d|https?:|www\.|\b[0-9a-f]{40}\b|[\w-]\.[a-z]{2}", plain)


@pytest.mark.parametrize("payload", [*PAYLOADS, *_TICKETS])
def test_hostile_text_changes_no_structure(payload: str) -> None:
    def shape(text: str) -> list[str]:
        return [token.type for token in _MARKDOWN.parse(text)]

    assert shape(render_markdown(full_report(payload))) == shape(render_markdown(full_report("word")))


@pytest.mark.parametrize("payload", [payload for payload in (*PAYLOADS, *_TICKETS) if show_hidden(payload) == payload])
def test_text_can_be_read_as_it_was(payload: str) -> None:
    (paragraph,) = [token for token in _MARKDOWN.parse(f"a {code(payload, 10_000)} b") if token.type == "inline"]
    assert [child.content for child in paragraph.children or ()][1].replace("\\x7c", "|") == payload


def test_the_same_report_gives_the_same_text() -> None:
    assert render_markdown(full_report()) == render_markdown(full_report())


def test_the_story_is_told_first_with_its_records() -> None:
    text = render_markdown(full_report())
    assert text.index("## What happened") < text.index("## What was found")
    story = text.split("## What happened\n\n")[1].split("\n\n")[0].splitlines()
    assert story[0].startswith("- The earliest finding of level medium or worse is of 2026-03-14 01:")
    assert "Records: `Security` event 4625, EventRecordID 70000 in source 1" in story[0]
    assert story[3] == "- 1 second hop was refused, towards `dc01`."


def test_findings_are_told_by_level_with_their_records() -> None:
    text = render_markdown(full_report())
    assert "| critical | 3 |\n| high | 8 |\n| medium | 9 |\n| low | 6 |\n| informational | 12 |" in text
    assert text.index("### Critical") < text.index("### High") < text.index("### Medium")
    assert "- **Security log cleared** (`security_log_cleared`, `T1070.001`): 2 findings" in text
    assert (
        "  - 2026-03-14 01:51:12.123456Z on `DC1`, user `da-smith`: `CORP\\da-smith cleared the Security log`"
        " Records: `Security` event 1102, EventRecordID " in text
    )
    assert "  - and 7 more of this detection" in text


def test_cited_sources_stand_with_their_hashes() -> None:
    report = full_report()
    text = render_markdown(report)
    cited = {int(number) for number in re.findall(r"in source (\d+)", text)}
    assert cited
    for source in report.sources:
        if source.source_file_id in cited:
            assert f"- **{source.source_file_id}** `{source.path}`" in text
            assert f"SHA-256 `{source.sha256}`" in text


def test_sessions_hops_and_the_unseen_are_told() -> None:
    text = render_markdown(full_report())
    assert "- **4** 2026-03-14 01:00:00.000000Z to — (not seen): powershell from `ws07` to `srv02` as `CORP\\a`" in text
    assert "1 script block, 2 commands, 3 programs" in text
    assert "  - not seen: `m`" in text
    assert "to `dc01` by credssp, refused; `a` goes on as `b`" in text
    assert "- 1 log could not be read completely: 3 records that should be there, 3 failures" in text
    assert "- Detection `own_rule` did not run: `Binder Error: column targt_user_name does not exist`" in text
    assert "- 1 file skipped: `empty`" in text
    assert "All records of all" not in text


def test_an_empty_case_claims_nothing() -> None:
    text = render_markdown(empty_report())
    assert "The case has no logs." in text and "No detection ran." in text
    assert "None was seen in scope. That is no proof" in text


@pytest.mark.parametrize("payload", ["x" * 100_000, "`" * 3_000, "\u202e" * 1_000_000, "wörter " * 1_000])
def test_length_is_bounded(payload: str) -> None:
    many = tuple(f"{number}{payload}" for number in range(200))
    note = "x" * 450
    text = render_markdown(replace(hostile_report(many), redaction=(note,) * 3))
    assert len(text) <= MOST_CHARACTERS and text.count(note) == 3


def test_what_is_left_out_is_counted_with_the_way_to_it() -> None:
    report = burst_report(3_000)
    report = replace(report, finding_count=4_000, sessions=full_report().sessions * 300, session_count=900)
    text = render_markdown(report)
    assert len(text) <= MOST_CHARACTERS
    assert "3,995 of 4,000 findings left out. All of them: `evtxhunt detect --format csv`" in text
    shown = len(re.findall("- confidence high", text))
    assert 10 < shown < 300
    assert f"{900 - shown:,} of 900 sessions left out. All of them: `evtxhunt sessions`" in text


def test_only_words_stand_outside_of_code() -> None:
    for words in (
        "Event log cleared",
        "Password spraying: few tries at many accounts",
        "PowerShell 2.0 started",
        "Logon (type 9)",
    ):
        assert plain_or_code(words).strip("`") == words
    assert plain_or_code("Event log cleared") == "Event log cleared"
    for other in (
        "see evil.example",
        "@me",
        "GH-12",
        "1. x",
        "- x",
        "a: 0123456",
        "# x",
        "a_b_c",
        "deadbeef1",
        "www.x",
    ):
        assert plain_or_code(other) == f"`{other}`"
