"""Keeps a folder of Sigma rules up to date."""

from pathlib import Path

from evtxhunt.errors import OutputError
from evtxhunt.sigma.update import Update, update_rules

__all__ = ["Update", "update_folder"]


def update_folder(source: str, sha256: str | None, folder: Path) -> Update:
    """As sigma.update.update_rules. Raises RulesError and OutputError; the folder is then as it was."""
    try:
        return update_rules(source, sha256, folder)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror}; give -o another folder") from error
