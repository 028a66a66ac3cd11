"""The findings by ATT&CK tactic and technique. What the matrix does not know is shown as unknown, not dropped."""

from collections.abc import Iterable
from dataclasses import dataclass

from evtxhunt.attack import attack
from evtxhunt.model import LEVELS, Level, ReportFinding


@dataclass(frozen=True, slots=True)
class MatrixTechnique:
    """A cell: findings that name the technique, and the worst level among them."""

    technique: str
    name: str | None
    findings: int
    level: Level


@dataclass(frozen=True, slots=True)
class MatrixTactic:
    """A column; `findings` counts each finding once however many of its techniques belong here."""

    key: str | None  # None: techniques that the matrix does not have
    name: str
    findings: int
    techniques: tuple[MatrixTechnique, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Tactics with findings, in kill-chain order; those without; and where the names are from."""

    tactics: tuple[MatrixTactic, ...]
    silent: tuple[str, ...]
    version: str
    attribution: str


def tactics_of(techniques: Iterable[str]) -> tuple[str, ...]:
    """Keys of the tactics that the techniques serve, in kill-chain order."""
    known = attack()
    keys = {key for name in techniques if name in known.techniques for key in known.techniques[name].tactics}
    return tuple(tactic.key for tactic in known.tactics if tactic.key in keys)


def make_matrix(findings: Iterable[ReportFinding]) -> Matrix:
    """Counts the findings by tactic and technique."""
    known = attack()
    cells: dict[str | None, dict[str, list[Level]]] = {}
    columns: dict[str | None, int] = {}
    for finding in findings:
        techniques = tuple(dict.fromkeys(finding.attack))
        touched: set[str | None] = set()
        for name in techniques:
            keys: tuple[str | None, ...] = known.techniques[name].tactics if name in known.techniques else (None,)
            for key in keys or (None,):
                cells.setdefault(key, {}).setdefault(name, []).append(finding.level)
                touched.add(key)
        for key in touched:
            columns[key] = columns.get(key, 0) + 1
    order: list[tuple[str | None, str]] = [(tactic.key, tactic.name) for tactic in known.tactics]
    order.append((None, "Not in the matrix"))
    tactics = tuple(MatrixTactic(key, name, columns[key], _cells(cells[key])) for key, name in order if key in cells)
    silent = tuple(tactic.name for tactic in known.tactics if tactic.key not in cells)
    return Matrix(tactics, silent, known.version, known.attribution)


def _cells(own: dict[str, list[Level]]) -> tuple[MatrixTechnique, ...]:
    known = attack().techniques
    cells = [
        MatrixTechnique(
            name,
            known[name].full_name if name in known else None,
            len(levels),
            max(levels, key=LEVELS.index),
        )
        for name, levels in own.items()
    ]
    return tuple(sorted(cells, key=lambda cell: (-cell.findings, cell.technique)))
