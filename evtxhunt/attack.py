"""MITRE ATT&CK: the tactics and techniques of the Enterprise matrix, from attack.json beside this file.

`make attack` renews that file. Its licence wants the attribution shown wherever a copy goes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Literal

Status = Literal["valid", "deprecated", "revoked"]


@dataclass(frozen=True, slots=True)
class Tactic:
    """A column of the matrix."""

    id: str  # "TA0008"
    key: str  # "lateral-movement", as Sigma tags and STIX have it
    name: str  # "Lateral Movement"


@dataclass(frozen=True, slots=True)
class Technique:
    """A technique or sub-technique; one that is deprecated or revoked is kept so that it can be told."""

    id: str  # "T1021.006"
    name: str  # "Windows Remote Management"
    full_name: str  # "Remote Services: Windows Remote Management"
    tactics: tuple[str, ...]  # keys, in the order of the matrix
    status: Status
    replaced_by: str | None  # of a revoked one, where known


@dataclass(frozen=True, slots=True)
class Attack:
    """The matrix: tactics in kill-chain order, techniques by id."""

    version: str
    attribution: str
    licence: str
    tactics: tuple[Tactic, ...]
    techniques: Mapping[str, Technique]


@cache
def attack() -> Attack:
    """The matrix that ships with evtxhunt."""
    content = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    tactics = tuple(Tactic(*item) for item in content["tactics"])
    names = {item["id"]: item["name"] for item in content["techniques"]}
    techniques = {}
    for item in content["techniques"]:
        parent, dot, _ = item["id"].partition(".")
        techniques[item["id"]] = Technique(
            id=item["id"],
            name=item["name"],
            full_name=f"{names[parent]}: {item['name']}" if dot and parent in names else item["name"],
            tactics=tuple(tactic.key for tactic in tactics if tactic.key in item["tactics"]),
            status=item.get("status", "valid"),
            replaced_by=item.get("replaced_by"),
        )
    return Attack(content["version"], content["attribution"], content["licence"], tactics, techniques)


def technique_problem(technique_id: str) -> str | None:
    """Why an id should not stand in a detection, with what to write instead; None for a valid technique."""
    matrix = attack()
    found = matrix.techniques.get(technique_id)
    if found is None:
        valid = [item.id for item in matrix.techniques.values() if item.status == "valid"]
        family = [item for item in valid if item.startswith(technique_id.partition(".")[0])] or valid
        near = ", ".join(
            f"{name} ({matrix.techniques[name].full_name})" for name in get_close_matches(technique_id, family, n=3)
        )
        hint = f"; did you mean {near}?" if near else ""
        return f'attack "{technique_id}" is no technique of MITRE ATT&CK {matrix.version}{hint}'
    if found.status == "valid":
        return None
    instead = matrix.techniques.get(found.replaced_by or "")
    hint = f"; use {instead.id} ({instead.full_name})" if instead else ""
    return f'attack "{technique_id}" ({found.full_name}) is {found.status} in MITRE ATT&CK {matrix.version}{hint}'
