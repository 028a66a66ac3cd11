"""Shelves of small collections, and triages of them in processes of their own: they fork, and tests have threads."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from samples.build import build_demo
from tests.conftest import REPOSITORY
from tests.logs import make_log

# All that a triage writes but its case, whose table run holds wall-clock times.
OUTPUTS = ("index.html", "triage.json", "hosts.csv", "findings.csv", "manifest.json", "hosts")


def write_demo(shelf: Path) -> None:
    """The demo's five hosts, a collection each."""
    for name, content in build_demo().items():
        if name.endswith(".evtx"):
            (shelf / name).parent.mkdir(parents=True, exist_ok=True)
            (shelf / name).write_bytes(content)


def write_log(shelf: Path, name: str, computer: str, count: int = 5, text: str = "") -> None:
    """A log of `count` records of one computer."""
    (shelf / name).parent.mkdir(parents=True, exist_ok=True)
    (shelf / name).write_bytes(make_log(count, computer, text))


def command(shelf: Path, output: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "evtxhunt", "triage", str(shelf), "-o", str(output), "--jobs", "2", *options]


def triage(shelf: Path, output: Path, *options: str, before: str = "") -> "subprocess.CompletedProcess[str]":
    """Runs one to its end; `before` is a shell's command that goes before it, such as a limit."""
    arguments = command(shelf, output, *options)
    if before:
        arguments = ["sh", "-c", f'{before}; exec "$@"', "sh", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(arguments, capture_output=True, text=True, timeout=1800, check=False, env=environment)


def told(output: Path) -> dict[str, Any]:
    """triage.json."""
    return dict(json.loads((output / "triage.json").read_text(encoding="utf-8")))


def contents(output: Path) -> dict[str, bytes]:
    """Name -> bytes of every output."""
    found: dict[str, bytes] = {}
    for name in OUTPUTS:
        path = output / name
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            found[str(file.relative_to(output))] = file.read_bytes()
    return found


def states(output: Path) -> dict[str, tuple[str, str | None]]:
    """Name of a collection -> its state and reason."""
    return {Path(item["path"]).name: (item["state"], item["reason"]) for item in told(output)["collections"]}


def hosts(output: Path) -> dict[str, list[str]]:
    """Host -> names of its collections."""
    return {item["name"]: [Path(path).name for path in item["collections"]] for item in told(output)["hosts"]}
