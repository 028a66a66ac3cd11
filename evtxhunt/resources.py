"""Finds the folders that ship with evtxhunt: queries, templates, sample logs."""

import os
from pathlib import Path

from evtxhunt.errors import EvtxhuntError

_PACKAGE = Path(__file__).parent


def shipped_folder(name: str) -> Path:
    """Folder `name` inside the installed package, else beside pyproject.toml in a checkout.

    Raises EvtxhuntError if neither exists, which means a broken installation.
    """
    for candidate in (_PACKAGE / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise EvtxhuntError(f"{name}: this installation has no such folder; install evtxhunt again")


def queries_folder(override: Path | None = None) -> Path:
    """The query files to use: `override`, else $EVTXHUNT_QUERIES, else the shipped ones.

    Raises EvtxhuntError if a folder that was asked for does not exist.
    """
    asked = override or (Path(os.environ["EVTXHUNT_QUERIES"]) if os.environ.get("EVTXHUNT_QUERIES") else None)
    if asked is None:
        return shipped_folder("queries")
    if not asked.is_dir():
        raise EvtxhuntError(f"{asked}: no such folder of queries; give --queries or EVTXHUNT_QUERIES a folder")
    return asked


def schema_sql() -> str:
    """The DDL of the case database, with the comments that make it a public contract."""
    return (_PACKAGE / "schema.sql").read_text(encoding="utf-8")
