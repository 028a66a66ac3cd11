"""A report as one HTML file that loads nothing and runs only our own script.

Three walls stand between log text and the reader's browser: Jinja2 escapes everything (autoescape is set by hand,
because `select_autoescape` does not cover `.html.j2`), the data for the script is JSON that cannot close its element,
and a content security policy names the style and the script by hash, so that nothing else would run.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from markupsafe import Markup

from evtxhunt.errors import EvtxhuntError
from evtxhunt.model import Report, ReportFinding
from evtxhunt.render.clock import Clock
from evtxhunt.render.markup import UNKNOWN, embed_json, label_text, show_label, show_text
from evtxhunt.render.overview import WORST_FIRST, Overview, make_overview, order_findings
from evtxhunt.render.svg import Timeline, make_timeline
from evtxhunt.render.text import hidden_pattern

_STYLES = ("style.css",)
_SCRIPTS = ("text.js", "record.js", "finding.js", "timeline.js")

# What a reader without JavaScript gets, and what the script replaces.
_FINDINGS_WITHOUT_SCRIPT = 100
_ROWS_AT_ONCE = 100

_FINDING_FIELDS = (
    "finding_id",
    "detection_id",
    "title",
    "level",
    "attack",
    "event_time",
    "host",
    "computer",
    "user_name",
    "summary",
    "details",
    "records",
    "record_count",
)
_RECORD_FIELDS = (
    "event_key",
    "event_time",
    "host",
    "computer",
    "channel",
    "provider",
    "event_id",
    "event_record_id",
    "user_sid",
    "event_data",
    "source",
    "record_offset",
)
_SAFE_LINK = re.compile(r"https?://[!-~]+", re.IGNORECASE)


def render_html(report: Report, templates: Path | Sequence[Path]) -> str:
    """The page, from `report.html.j2`, its parts, styles and scripts in the folder `templates`, each from the first
    that has it if these are several.

    The same report gives the same text. It has no lone surrogates, so it can be written as UTF-8. Raises
    EvtxhuntError if a template is missing or broken, or the time zone is unknown.
    """
    clock = Clock(report.time_zone)
    findings = order_findings(report.findings)
    overview = make_overview(report, findings)
    timeline = make_timeline(findings, report.channels, clock)
    style = _read_assets(templates, _STYLES)
    script = _read_assets(templates, _SCRIPTS)
    # One function around all files: they share their names, and the page's window sees none of them.
    script = f'(() => {{\n"use strict";\n{script}}})();\n'
    environment = _make_environment(templates, clock)
    try:
        return environment.get_template("report.html.j2").render(
            report=report,
            overview=overview,
            timeline=timeline,
            findings=findings,
            first_findings=findings[:_FINDINGS_WITHOUT_SCRIPT],
            rows_at_once=_ROWS_AT_ONCE,
            levels=WORST_FIRST,
            policy=_content_security_policy(style, script),
            style=Markup(style),
            script=Markup(script),
            data=embed_json(_page_data(report, findings, overview, timeline, clock)),
        )
    except TemplateSyntaxError as error:
        raise EvtxhuntError(f"{error.filename}:{error.lineno}: {error.message}") from error
    except TemplateError as error:
        raise EvtxhuntError(
            f"{_shown(templates)}: {error}; give a folder with all of the report's templates"
        ) from error


def _make_environment(templates: Path | Sequence[Path], clock: Clock) -> Environment:
    def show_time(value: datetime | None) -> Markup:
        return UNKNOWN if value is None else Markup('<span class="time">{}</span>').format(clock.text(value))

    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        show=show_text,
        label=show_label,
        label_text=label_text,
        when=show_time,
        number=_show_number,
        size=_size_text,
        percent=lambda value: f"{value:.3f}",
    )
    environment.tests["safe_link"] = lambda value: bool(_SAFE_LINK.fullmatch(value))
    return environment


def _read_assets(templates: Path | Sequence[Path], names: Sequence[str]) -> str:
    folders = [templates] if isinstance(templates, Path) else templates
    try:
        paths = [
            next((folder / name for folder in folders if (folder / name).is_file()), folders[-1] / name)
            for name in names
        ]
        # Universal newlines: a browser hashes what it parsed, and that has no carriage returns.
        text = "\n".join(path.read_text(encoding="utf-8").strip() for path in paths) + "\n"
    except (OSError, UnicodeDecodeError) as error:
        raise EvtxhuntError(f"{_shown(templates)}: {', '.join(names)} cannot be read: {error}") from error
    if "</" in text or "<!--" in text:
        raise EvtxhuntError(
            f"{_shown(templates)}: {', '.join(names)} must have no </ and no <!--, they end the element in a page"
        )
    return text


def _shown(templates: Path | Sequence[Path]) -> str:
    return str(templates) if isinstance(templates, Path) else ", ".join(map(str, templates))


def _content_security_policy(style: str, script: str) -> str:
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


def _page_data(
    report: Report, findings: Sequence[ReportFinding], overview: Overview, timeline: Timeline, clock: Clock
) -> Mapping[str, object]:
    """What the script works on. Rows are arrays in the order of their field names; times are text in the zone."""

    def rows(items: Sequence[object], fields: Sequence[str]) -> list[list[object]]:
        return [[_page_value(getattr(item, field), clock) for field in fields] for item in items]

    return {
        "hidden_pattern": hidden_pattern(ecmascript=True, keep_lines=True),
        "levels": WORST_FIRST,
        "hosts": overview.hosts,
        "finding_fields": _FINDING_FIELDS,
        "findings": rows(findings, _FINDING_FIELDS),
        "record_fields": _RECORD_FIELDS,
        "records": rows(report.records, _RECORD_FIELDS),
        "sources": [[source.source_file_id, source.path, source.sha256] for source in report.sources],
        "marks": [mark.positions for lane in timeline.lanes for mark in lane.marks],
    }


def _page_value(value: object, clock: Clock) -> object:
    return clock.text(value) if isinstance(value, datetime) else value


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
