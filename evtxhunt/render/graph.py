"""The graph of hops: hosts in columns by their distance from the entry, an arrow for each way, its accounts on it.

A small layered layout of our own: edges that lead back are left out of the layering, hosts of one column stand in the
order of what leads to them. The template draws what is computed here; all units are pixels.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evtxhunt.model import Report
from evtxhunt.render.markup import label_text
from evtxhunt.triage_model import Triage

_NODE_WIDTH, _NODE_HEIGHT = 150, 46
_COLUMN_GAP, _ROW_GAP = 190, 34
_MARGIN = 24
_LOOP_SPACE = 34
_MOST_NODES = 80
_SWEEPS = 4


@dataclass(frozen=True, slots=True)
class Node:
    """A host; `is_collected`: its logs are in the case."""

    name: str
    label: str
    x: int
    y: int
    sessions: int
    is_collected: bool


@dataclass(frozen=True, slots=True)
class Edge:
    """Sessions and hops of one account from one host to another. `path` is SVG, `labels` stand at `x`, `y`."""

    source: int
    target: int
    account: str
    detail: str
    path: str
    x: float
    y: float
    sessions: tuple[int, ...]
    hops: tuple[int, ...]
    is_hop: bool
    is_failed: bool


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes and edges; `paths` are the chains of hops as numbers of edges."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    paths: tuple[tuple[int, ...], ...]
    width: int
    height: int
    node_width: int
    node_height: int
    left_out: int  # hosts that are not drawn


@dataclass(slots=True)
class _Way:
    source: str
    target: str
    account: str
    sessions: list[int]
    hops: list[int]
    methods: list[str]
    is_failed: bool


def make_graph(report: Report | Triage, host_of: Mapping[str, str]) -> Graph:
    """The graph of the report's sessions and hops; hosts are named as the collection names them."""
    ways = _ways(report, host_of)
    names, left_out = _chosen_names(ways)
    ways = [way for way in ways if way.source in names and way.target in names]
    columns = _columns(names, ways)
    order = _order(columns, ways)
    tallest = max((len(column) for column in order), default=0)
    collected = {host.lower() for host in host_of.values()}
    nodes: list[Node] = []
    place: dict[str, int] = {}
    for number, column in enumerate(order):
        top = (tallest - len(column)) * (_NODE_HEIGHT + _ROW_GAP) // 2
        for row, name in enumerate(column):
            place[name] = len(nodes)
            nodes.append(
                Node(
                    name=name,
                    label=label_text(name, 20),
                    x=_MARGIN + number * (_NODE_WIDTH + _COLUMN_GAP),
                    y=_MARGIN + _LOOP_SPACE + top + row * (_NODE_HEIGHT + _ROW_GAP),
                    sessions=sum(len(way.sessions) for way in ways if way.target == name),
                    is_collected=name.lower() in collected,
                )
            )
    edges = _edges(ways, nodes, place)
    by_hop = {hop: number for number, edge in enumerate(edges) for hop in edge.hops}
    by_session = {session: number for number, edge in enumerate(edges) for session in edge.sessions}
    paths = []
    for path in report.paths:
        chain = [by_session.get(path.entry_session_id), *(by_hop.get(hop) for hop in path.hop_ids)]
        paths.append(tuple(dict.fromkeys(edge for edge in chain if edge is not None)))
    return Graph(
        tuple(nodes),
        tuple(edges),
        tuple(paths),
        width=max((node.x for node in nodes), default=0) + _NODE_WIDTH + _MARGIN,
        height=max((node.y for node in nodes), default=0) + _NODE_HEIGHT + _MARGIN,
        node_width=_NODE_WIDTH,
        node_height=_NODE_HEIGHT,
        left_out=left_out,
    )


def _ways(report: Report | Triage, host_of: Mapping[str, str]) -> list[_Way]:
    """Sessions, and hops that became no session, by source, target and account, in the order of time."""

    def host(computer: str | None) -> str:
        return "unknown source" if computer is None else host_of.get(computer.lower(), computer)

    ways: dict[tuple[str, str, str], _Way] = {}
    hop_of = {hop.to_session_id: hop for hop in report.hops if hop.to_session_id is not None}

    def way(source: str, target: str, account: str) -> _Way:
        return ways.setdefault((source, target, account.lower()), _Way(source, target, account, [], [], [], True))

    for session in report.sessions:
        found = way(host(session.source), host(session.target), session.user_name or "unknown account")
        found.sessions.append(session.session_id)
        found.is_failed = False
        hop = hop_of.get(session.session_id)
        if hop is not None:
            found.hops.append(hop.hop_id)
            found.methods.append(hop.method)
    for hop in report.hops:
        if hop.to_session_id is None or not any(hop.hop_id in found.hops for found in ways.values()):
            target = "unknown target" if hop.target is None else host(hop.target)
            found = way(host(hop.via), target, hop.next_user_name or hop.user_name or "unknown account")
            found.hops.append(hop.hop_id)
            found.methods.append(hop.method)
            found.is_failed = found.is_failed and hop.is_failed
    return list(ways.values())


def _chosen_names(ways: Sequence[_Way]) -> tuple[set[str], int]:
    """Hosts of hops first, then those with most ways; and how many do not fit."""
    weight: dict[str, tuple[int, int]] = {}
    for way in ways:
        for name in (way.source, way.target):
            hops, number = weight.get(name, (0, 0))
            weight[name] = (hops + len(way.hops), number + 1)
    order = sorted(weight, key=lambda name: (-weight[name][0], -weight[name][1], name))
    return set(order[:_MOST_NODES]), max(0, len(order) - _MOST_NODES)


def _columns(names: Iterable[str], ways: Sequence[_Way]) -> dict[str, int]:
    """Host -> column: one after the farthest host that leads to it. Ways that close a circle do not count."""
    ahead: dict[str, list[str]] = {name: [] for name in sorted(names)}
    for way in ways:
        if way.source != way.target and not _leads_to(ahead, way.target, way.source):
            ahead[way.source].append(way.target)
    column = dict.fromkeys(ahead, 0)
    for _ in ahead:  # no chain is longer than there are hosts
        changed = False
        for name, targets in ahead.items():
            for target in targets:
                if column[target] <= column[name]:
                    column[target] = column[name] + 1
                    changed = True
        if not changed:
            break
    return column


def _leads_to(ahead: Mapping[str, Sequence[str]], start: str, end: str) -> bool:
    seen, waiting = {start}, [start]
    while waiting:
        name = waiting.pop()
        if name == end:
            return True
        for target in ahead[name]:
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return False


def _order(column: Mapping[str, int], ways: Sequence[_Way]) -> list[list[str]]:
    """Hosts of each column from top to bottom, by the middle of what leads to them."""
    order = [sorted(name for name in column if column[name] == number) for number in sorted(set(column.values()))]
    for _ in range(_SWEEPS):
        place = {name: row for own in order for row, name in enumerate(own)}

        def middle(name: str, place: Mapping[str, int] = place) -> float:
            near = [place[way.source] for way in ways if way.target == name and way.source != name]
            near += [place[way.target] for way in ways if way.source == name and way.target != name]
            return sum(near) / len(near) if near else place[name]

        order = [sorted(own, key=lambda name: (middle(name), name)) for own in order]
    return order


def _edges(ways: Sequence[_Way], nodes: Sequence[Node], place: Mapping[str, int]) -> list[Edge]:
    edges = []
    beside: dict[frozenset[str], int] = {}
    for way in sorted(ways, key=lambda way: (place[way.source], place[way.target], way.account.lower())):
        pair = frozenset((way.source, way.target))
        turn = beside.get(pair, 0)
        beside[pair] = turn + 1
        source, target = nodes[place[way.source]], nodes[place[way.target]]
        path, x, y = _curve(source, target, turn)
        count = len(way.sessions)
        parts = [f"{count} session{'' if count == 1 else 's'}"] if count else []
        parts += sorted({method.replace("_", " ") for method in way.methods})
        if way.is_failed:
            parts.append("refused")
        edges.append(
            Edge(
                source=place[way.source],
                target=place[way.target],
                account=label_text(way.account, 24),
                detail=label_text(", ".join(parts), 60),
                path=path,
                x=x,
                y=y,
                sessions=tuple(way.sessions),
                hops=tuple(way.hops),
                is_hop=bool(way.hops),
                is_failed=way.is_failed,
            )
        )
    return edges


def _curve(source: Node, target: Node, turn: int) -> tuple[str, float, float]:
    """A curve from the right side of one host to the left side of the other; further ones of a pair bend away."""
    bend = ((turn + 1) // 2) * (1 if turn % 2 else -1) * 40
    if source is target:
        x, y = source.x + _NODE_WIDTH / 2, source.y
        return f"M{x - 30} {y}C{x - 30} {y - 34} {x + 30} {y - 34} {x + 30} {y - 2}", x, y - 30
    y1, y2 = source.y + _NODE_HEIGHT / 2, target.y + _NODE_HEIGHT / 2
    if target.x > source.x:
        x1, x2 = source.x + _NODE_WIDTH, target.x - 3
        pull = (x2 - x1) / 2
        middle = (y1 + y2) / 2 + bend * 0.75
        return f"M{x1} {y1}C{x1 + pull} {y1 + bend} {x2 - pull} {y2 + bend} {x2} {y2}", (x1 + x2) / 2, middle
    # Back, or within a column: around the outside.
    x1, x2 = source.x + _NODE_WIDTH, target.x + _NODE_WIDTH + 3
    out = max(x1, x2) + 70 + abs(bend)
    return f"M{x1} {y1 + 8}C{out} {y1 + 8} {out} {y2 - 8} {x2} {y2 - 8}", out - 20, (y1 + y2) / 2
