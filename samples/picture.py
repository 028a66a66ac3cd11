"""The picture of a scenario: a lane for each host, sessions as bars with the arrow that opens them, hops in colour.

Moments stand in their order, not to scale: what matters is who comes before whom.
"""

from datetime import datetime
from html import escape

from samples.story import Hop, RemoteSession, Story

_WIDTH = 920
_LEFT = 120
_LANE = 48
_TOP = 30
_LINE = 17
_OUTSIDE = "outside"
_STYLE = """
  text { font: 12px sans-serif; fill: #24292f } .small { font-size: 10px; fill: #57606a }
  .lane { stroke: #d0d7de } .bar { fill: #ddf4ff; stroke: #0969da } .open { stroke: #0969da }
  .hop { stroke: #bc4c00; stroke-width: 2 } .failed { stroke-dasharray: 5 4 }
  .dot { fill: #24292f } .number { fill: #fff }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 } .lane { stroke: #3d444d } .bar { fill: #121d2f; stroke: #4493f8 }
    .open { stroke: #4493f8 } .hop { stroke: #f0883e } .dot { fill: #e6edf3 } .number { fill: #0d1117 }
  }
"""


def draw(story: Story) -> str:
    """SVG, equal bytes each time."""
    lanes = _lanes(story)
    moments = sorted(
        {step.at for step in story.steps}
        | {session.start for session in story.sessions}
        | {session.end for session in story.sessions if session.end}
        | {hop.at for hop in story.hops}
    )
    places = {moment: number for number, moment in enumerate(moments)}
    stride = (_WIDTH - _LEFT - 40) / max(len(moments) - 1, 1)

    def x(moment: datetime) -> float:
        return round(_LEFT + 14 + places[moment] * stride, 1)

    def y(name: str) -> int:
        return _TOP + lanes.index(name) * _LANE

    steps = sorted(story.steps, key=lambda step: step.at)
    bottom = _TOP + len(lanes) * _LANE
    height = bottom + len(steps) * _LINE + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(story.title)}</title><style>{_STYLE}</style>",
        '<defs><marker id="tip" orient="auto" markerWidth="7" markerHeight="7" refX="6" refY="3" fill="context-stroke">'
        '<path d="M0,0 L6,3 L0,6 z"/></marker></defs>',
    ]
    for name in lanes:
        parts.append(f'<text x="4" y="{y(name) + 4}">{escape(name)}</text>')
        parts.append(f'<line class="lane" x1="{_LEFT}" x2="{_WIDTH - 10}" y1="{y(name)}" y2="{y(name)}"/>')
    for session in sorted(story.sessions, key=lambda session: session.start):
        end = x(session.end) if session.end else _WIDTH - 12
        start, lane = x(session.start), y(session.target.name)
        width = round(max(end - start, 6), 1)
        parts.append(f'<rect class="bar" x="{start}" y="{lane - 7}" width="{width}" height="14" rx="3"/>')
        label = f"{session.user.name}, {session.package}"
        parts.append(_small(label, min(start, _WIDTH - 8 - 5.4 * len(label)), lane + 20))
        if not any(hop.outbound is session for hop in story.hops):
            parts.append(_arrow("open", start, y(_source(session)), lane))
    for hop in sorted(story.hops, key=lambda hop: hop.at):
        kind = "hop failed" if hop.is_failed else "hop"
        parts.append(_arrow(kind, x(hop.at), y(hop.inbound.target.name), y(hop.to)))
        parts.append(_hop_label(hop, x(hop.at), y(hop.inbound.target.name), y(hop.to)))
    for number, step in enumerate(steps, start=1):
        parts.append(f'<circle class="dot" cx="{x(step.at)}" cy="{y(step.host.name)}" r="8"/>')
        parts.append(_small(str(number), x(step.at), y(step.host.name) + 3.5, "middle", "small number"))
        line = f"{number}  {step.at:%H:%M:%S}  {step.host.name}, {step.actor}: {step.text}"
        parts.append(f'<text x="4" y="{bottom + number * _LINE - 8}">{escape(line)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _lanes(story: Story) -> list[str]:
    """Hosts in the order in which they come into the story; what is no Windows host comes first."""
    names = [_OUTSIDE] if any(session.source is None for session in story.sessions) else []
    for step in sorted(story.steps, key=lambda step: step.at):
        names.append(step.host.name)
    names += [session.target.name for session in sorted(story.sessions, key=lambda session: session.start)]
    names += [hop.to for hop in sorted(story.hops, key=lambda hop: hop.at)]
    return list(dict.fromkeys([*names, *(host.name for host in story.hosts)]))


def _source(session: RemoteSession) -> str:
    return session.source.name if session.source else _OUTSIDE


def _arrow(kind: str, at: float, start: int, end: int) -> str:
    gap = 9 if end > start else -9
    return f'<line class="{kind}" x1="{at}" x2="{at}" y1="{start + gap}" y2="{end - gap}" marker-end="url(#tip)"/>'


def _hop_label(hop: Hop, at: float, start: int, end: int) -> str:
    text = "refused" if hop.is_failed else hop.method.replace("_", " ")
    if hop.next_user != hop.user:
        text += f", as {hop.next_user.name}"
    anchor, offset = ("end", -6) if at > _WIDTH * 0.75 else ("start", 6)
    return _small(text, at + offset, (start + end) // 2 + 4, anchor)


def _small(text: str, x: float, y: float, anchor: str = "start", kind: str = "small") -> str:
    return f'<text class="{kind}" x="{round(x, 1)}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
