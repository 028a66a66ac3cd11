"""A triage as one HTML page that loads nothing and has no script at all: a pure function of a Triage."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from jinja2 import TemplateError
from markupsafe import Markup

from evtxhunt.errors import EvtxhuntError
from evtxhunt.render.clock import Clock
from evtxhunt.render.graph import make_graph
from evtxhunt.render.html import content_security_policy, make_environment, read_assets
from evtxhunt.triage_model import ChannelCoverage, Triage

_STYLES = ("style.css", "timeline.css", "session.css", "triage.css", "print.css")
_MOST_HOPS = 500


def render_triage(triage: Triage, explanation: tuple[str, ...], templates: Path) -> str:
    """The page, from `triage.html.j2` and the styles in `templates`; `explanation` tells how hosts are scored.

    The same triage gives the same text. Raises EvtxhuntError if a template is missing or broken.
    """
    host_of = dict(triage.places)
    style = read_assets(templates, _STYLES)
    environment = make_environment(templates, Clock("UTC"), host_of, [])
    short = _short_names(host_of)
    graph = make_graph(triage, short)
    try:
        return environment.get_template("triage.html.j2").render(
            triage=triage,
            explanation=explanation,
            graph=graph,
            cells={host.computer: _cells(triage.channels, host.coverage) for host in triage.hosts},
            report_of_name={short[host.computer]: host.report for host in triage.hosts},
            first_hops=triage.hops[:_MOST_HOPS],
            failures=[item for item in triage.collections if item.state not in ("complete", "no evidence")],
            policy=content_security_policy(style, ""),
            style=Markup(style),
        )
    except TemplateError as error:
        raise EvtxhuntError(f"{templates}: {error}; install evtxhunt again") from error


def _short_names(names: Mapping[str, str]) -> dict[str, str]:
    """Computer -> its name without domain, which a node has room for, unless another host has that too."""
    shorter = {computer: name.split(".")[0] for computer, name in names.items()}
    counts = Counter(short.lower() for short in shorter.values())
    is_own = {short for short, count in counts.items() if short and count == 1}
    return {computer: short if short.lower() in is_own else names[computer] for computer, short in shorter.items()}


def _cells(channels: tuple[str, ...], coverage: tuple[ChannelCoverage, ...]) -> tuple[tuple[str, str, str], ...]:
    """For each channel: kind of the cell, what it says, its tooltip."""
    by_channel = {item.channel: item for item in coverage}
    cells = []
    for channel in channels:
        item = by_channel.get(channel)
        if item is None or item.is_absent:
            cells.append(("absent", "no log", item.notes if item else ""))
        elif item.cleared_time is not None:
            cells.append(("cleared", f"{item.records:,}, cleared", item.notes))
        elif item.missing_records:
            cells.append(("holes", f"{item.records:,}, holes", item.notes))
        else:
            cells.append(("present", f"{item.records:,}", item.notes))
    return tuple(cells)
