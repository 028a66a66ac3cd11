"""Findings as a layer of the ATT&CK Navigator (layer format 4.5, layers/spec/v4.5/layerformat.md of its repository)."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from evtxhunt.model import LEVELS, Level
from evtxhunt.render.text import cut, show_hidden

_TECHNIQUE = re.compile(r"T\d{4}(?:\.\d{3})?")
_GRADIENT = ("#fff2cc", "#c0392b")


@dataclass(frozen=True, slots=True)
class TechniqueCount:
    """Findings of one detection that names a technique."""

    technique: str
    level: Level
    detection_id: str
    title: str
    findings: int


def render_navigator(name: str, counts: Iterable[TechniqueCount]) -> str:
    """The layer as JSON. A technique's score is the number of findings that name it; its comment says which.

    What is no technique's id cannot be shown there and is left out. The same counts give the same text.
    """
    by_technique: dict[str, list[TechniqueCount]] = {}
    for count in counts:
        if _TECHNIQUE.fullmatch(count.technique):
            by_technique.setdefault(count.technique, []).append(count)
    techniques = [_technique(technique, by_technique[technique]) for technique in sorted(by_technique)]
    scores = [sum(count.findings for count in own) for own in by_technique.values()]
    layer = {
        "name": cut(show_hidden(name), 200),
        "versions": {"navigator": "4.9.0", "layer": "4.5"},  # the least that reads 4.5; ATT&CK: its current version
        "domain": "enterprise-attack",
        "description": "Findings of evtxhunt. The score is the number of findings that name the technique."
        " No score says that nothing was found, not that nothing happened.",
        "filters": {"platforms": ["Windows"]},
        "sorting": 3,  # highest score first
        "layout": {"layout": "side", "showID": True, "expandedSubtechniques": "annotated"},
        "techniques": techniques,
        "gradient": {"colors": list(_GRADIENT), "minValue": 0, "maxValue": max(scores, default=1)},
    }
    return json.dumps(layer, indent=1) + "\n"


def _technique(technique: str, counts: list[TechniqueCount]) -> dict[str, object]:
    worst_first = sorted(counts, key=lambda count: (-LEVELS.index(count.level), -count.findings, count.detection_id))
    return {
        "techniqueID": technique,
        "score": sum(count.findings for count in counts),
        "comment": "\n".join(
            f"{count.level}: {cut(show_hidden(count.title), 200)} ({show_hidden(count.detection_id)}):"
            f" {count.findings:,}"
            for count in worst_first
        ),
        "metadata": [{"name": "worst level", "value": worst_first[0].level}],
    }
