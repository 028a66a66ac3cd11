"""The command rules update: a folder of Sigma rules from a zip whose hash is known."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from evtxhunt.cli.output import counted, say
from evtxhunt.pipeline.rules import update_folder
from evtxhunt.render.terminal import escape_terminal

_MOST_SHOWN = 20  # rules of each kind of change


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    rules = typer.Typer(no_args_is_help=True, help="Keep a folder of Sigma rules for detect --rules.")
    rules.callback()(_rules)
    rules.command(
        name="update",
        help="Replace a folder of Sigma rules by those of a zip, if its SHA-256 is the one given; say what changed.",
    )(_update)
    app.add_typer(rules, name="rules")


def _rules() -> None:
    pass  # makes `rules` a group though it has one command


def _sha256(text: str | None) -> str | None:
    if text is not None and not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise typer.BadParameter("a SHA-256 has 64 hexadecimal digits")
    return text


def _update(
    source: Annotated[
        str, typer.Option("--from", metavar="URL|FILE", help="The zip: a file, or its URL (https only).")
    ],
    sha256: Annotated[
        str | None,
        typer.Option(
            "--sha256",
            metavar="HEX",
            callback=_sha256,
            help="The SHA-256 that the zip must have. Without it nothing is unpacked, and the hash is shown.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The folder; all that an earlier update left in it is replaced.")
    ] = Path("rules"),
) -> None:
    done = update_folder(source, sha256, output)
    for what, changes in (("new", done.new), ("changed", done.changed), ("gone", done.gone)):
        for change in changes[:_MOST_SHOWN]:
            typer.echo(escape_terminal(f"{what}: {change.title or change.name} ({change.name})"))
        if len(changes) > _MOST_SHOWN:
            typer.echo(f"{what}: {counted(len(changes) - _MOST_SHOWN, 'more rule')}")
    say(escape_terminal(f"{output}: {counted(done.files, 'rule file')}, {_summary(done.new, done.changed, done.gone)}"))


def _summary(new: Sequence[object], changed: Sequence[object], gone: Sequence[object]) -> str:
    if not (new or changed or gone):
        return "nothing changed"
    return f"{len(new):,} new, {len(changed):,} changed, {len(gone):,} gone"
