"""A report as one HTML file that loads nothing and runs only our own script.

Three walls stand between log text and the reader's browser: Jinja2 escapes everything (autoescape is set by hand,
because `select_autoescape` does not cover `.html.j2`), the data for the script is base64 that cannot close its element,
and a content security policy names the style and the script by hash, so that nothing else would run.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.bccache import Bucket
from markupsafe import Markup

from evtxhunt.errors import EvtxhuntError
from evtxhunt.model import Report
from evtxhunt.render.clock import Clock
from evtxhunt.render.clocks import clock_offsets
from evtxhunt.render.graph import make_graph
from evtxhunt.render.involved import involved_accounts, involved_hosts
from evtxhunt.render.markup import UNKNOWN, label_text, show_label, show_text
from evtxhunt.render.matrix import make_matrix
from evtxhunt.render.overview import WORST_FIRST, make_overview, order_findings
from evtxhunt.render.packed import compress, microseconds, pack_blocks
from evtxhunt.render.page_data import page_data, time_zones
from evtxhunt.render.spans import blind_spans
from evtxhunt.render.story import cite, tell_story
from evtxhunt.render.svg import Picture, make_timeline

_STYLES = ("style.css", "timeline.css", "session.css", "print.css")
_SCRIPTS = (
    "packed.js",
    "text.js",
    "time.js",
    "state.js",
    "marks.js",
    "record.js",
    "finding.js",
    "picture.js",
    "zoom.js",
    "rows.js",
    "session.js",
    "graph.js",
    "print.js",
    "start.js",
)

# What a reader without JavaScript gets, and what the script replaces.
_FINDINGS_WITHOUT_SCRIPT = 100
_LINES_WITHOUT_SCRIPT = 100
_ROWS_AT_ONCE = 100

# No user name before the host: https://microsoft.com@evil.example leads to evil.example.
_SAFE_LINK = re.compile(r"https?://[!-.0-?A-~]+(/[!-~]*)?", re.IGNORECASE)


def render_html(report: Report, templates: Path | Sequence[Path]) -> str:
    """The page, from `report.html.j2`, its parts, styles and scripts in the folder `templates`, each from the first
    that has it if these are several.

    The same report gives the same text. It has no lone surrogates, so it can be written as UTF-8. Raises
    EvtxhuntError if a template is missing or broken, or the time zone is unknown.
    """
    clock = Clock(report.time_zone)
    host_of = dict(report.places)
    findings = order_findings(report.findings)
    overview = make_overview(report, findings)
    spans = blind_spans(report.channels, report.coverage)
    # A forged record may have no time, and so has what it alone shows.
    sessions = [session for session in report.sessions if session.start_time is not None]
    hops = [hop for hop in report.hops if hop.event_time is not None]
    timeline = make_timeline(findings, report.channels, clock, Picture(sessions, hops, spans, host_of))
    graph = make_graph(report, host_of)
    starts, blocks = pack_blocks([record.event_data for record in report.records])
    offsets = clock_offsets(report.skews, host_of)
    data = page_data(report, findings, overview.hosts, timeline, spans, graph, starts, offsets)
    style = read_assets(templates, _STYLES)
    script = read_assets(templates, _SCRIPTS)
    # One function around all files: they share their names, and the page's window sees none of them.
    script = f'(async () => {{\n"use strict";\n{script}}})();\n'
    environment = make_environment(templates, clock, host_of, list(offsets))
    try:
        return environment.get_template("report.html.j2").render(
            report=report,
            overview=overview,
            story=tell_story(report),
            matrix=make_matrix(findings),
            accounts=involved_accounts(report),
            involved_hosts=involved_hosts(report, host_of),
            clock_offsets=offsets,
            timeline=timeline,
            graph=graph,
            findings=findings,
            first_findings=findings[:_FINDINGS_WITHOUT_SCRIPT],
            first_lines=report.lines[:_LINES_WITHOUT_SCRIPT],
            rows_at_once=_ROWS_AT_ONCE,
            levels=WORST_FIRST,
            evidence_sha256=data["case"],
            zones=time_zones(report.time_zone),
            policy=content_security_policy(style, script),
            style=Markup(style),
            script=Markup(script),
            data=compress(data),
            blocks=blocks,
        )
    except TemplateSyntaxError as error:
        raise EvtxhuntError(f"{error.filename}:{error.lineno}: {error.message}") from error
    except TemplateError as error:
        raise EvtxhuntError(
            f"{_shown(templates)}: {error}; give a folder with all of the report's templates"
        ) from error


class _CompiledTemplates(BytecodeCache):
    """Compiling them takes as long as rendering a small report: of a fleet it is done once. Jinja2 sees edits."""

    def __init__(self) -> None:
        self._by_key: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._by_key:
            bucket.bytecode_from_string(self._by_key[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._by_key[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _CompiledTemplates()


def make_environment(
    templates: Path | Sequence[Path], clock: Clock, host_of: Mapping[str, str], hosts: Sequence[str]
) -> Environment:
    """Escapes everything; its filters show log text, times of `clock`, and computers by their hosts."""

    def show_time(value: datetime | None, host: str | None = None) -> Markup:
        if value is None:
            return UNKNOWN
        # The script shows it in another zone from what the attribute says.
        on = Markup(' data-clock="{}"').format(hosts.index(host)) if host in hosts else ""
        text = clock.text(value)
        return Markup('<time class="time" data-time="{}"{}>{}</time>').format(microseconds(value), on, text)

    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=_COMPILED,
    )
    environment.filters.update(
        show=show_text,
        label=show_label,
        label_text=label_text,
        when=show_time,
        number=_show_number,
        size=_size_text,
        json_pairs=_json_pairs,
        percent=lambda value: f"{value:.3f}",
        cite=lambda index, report: cite(report.records[index]),
        host=lambda value: None if value is None else host_of.get(value.lower(), value),
    )
    environment.tests["safe_link"] = lambda value: bool(_SAFE_LINK.fullmatch(value))
    return environment


def read_assets(templates: Path | Sequence[Path], names: Sequence[str]) -> str:
    """The files one after another, for one element of a page. Raises EvtxhuntError."""
    folders = [templates] if isinstance(templates, Path) else templates
    try:
        paths = [
            next((folder / name for folder in folders if (folder / name).is_file()), folders[-1] / name)
            for name in names
        ]
        # Universal newlines: a browser hashes what it parsed, and that has no carriage returns.
        text = "\n".join(path.read_text(encoding="utf-8").strip() for path in paths) + "\n"
    except (OSError, UnicodeDecodeError) as error:
        raise EvtxhuntError(f"{_shown(templates)}: one of {', '.join(names)} cannot be read: {error}") from error
    if "</" in text or "<!--" in text:
        raise EvtxhuntError(
            f"{_shown(templates)}: {', '.join(names)} must have no </ and no <!--, they end the element in a page"
        )
    return text


def _shown(templates: Path | Sequence[Path]) -> str:
    return str(templates) if isinstance(templates, Path) else ", ".join(map(str, templates))


def content_security_policy(style: str, script: str) -> str:
    """Lets this style and this script alone take effect."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash_source(style)}'",
            f"script-src '{_hash_source(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
            # No string can become markup or code in the script, not even by a mistake of ours.
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _hash_source(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _json_pairs(text: str) -> str:
    """{"a": 1, "b": null} as `a 1, b -`; what is no JSON object as it is."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(content, dict):
        return text
    shown = ((key, value if isinstance(value, str) else json.dumps(value)) for key, value in content.items())
    return ", ".join(f"{key} {value}" for key, value in shown if value != "null")


def _show_number(value: int | None) -> Markup:
    return UNKNOWN if value is None else Markup("{:,}").format(value)


def _size_text(value: int | None) -> Markup:
    """Bytes in the unit that leaves one to four digits before the point; the exact number is its tooltip."""
    if value is None:
        return UNKNOWN
    amount, unit = float(value), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    shown = f"{value:,} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
    return Markup('<span title="{:,} bytes">{}</span>').format(value, shown)
