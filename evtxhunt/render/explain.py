"""What a query file says of itself, as text for a terminal."""

from collections.abc import Iterator

from evtxhunt.model import Query


def explanation(query: Query) -> Iterator[str]:
    """Lines: meaning, level, ATT&CK, what else looks like it, what it reads, its parameters, and its file."""
    yield f"{query.id}: {query.title}"
    if query.level:
        yield f"  level {' or '.join((query.level, *query.other_levels))}; ATT&CK {', '.join(query.attack) or 'none'}"
    yield ""
    yield from (f"  {line.strip()}" for line in query.description.splitlines())
    yield from _listed("What else looks like it", query.false_positives)
    yield from _listed(
        "It reads any of",
        [f"{item.channel}: {', '.join(map(str, item.event_id))}" for item in query.requires],
    )
    yield from _listed(
        "Parameters",
        [f"{item.name} = {item.default} ({item.type}): {item.description}" for item in query.parameters],
    )
    yield from _listed("References", query.references)
    yield ""
    yield f"Its logic: {query.path}"


def _listed(title: str, items: tuple[str, ...] | list[str]) -> Iterator[str]:
    if items:
        yield ""
        yield f"{title}:"
        yield from (f"  {item}" for item in items)
