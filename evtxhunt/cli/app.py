"""The typer application: its commands, and how errors become one line and an exit status."""

import io
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from evtxhunt import __version__
from evtxhunt.case_file import interrupts_as_such
from evtxhunt.cli import (
    case_commands,
    detect_command,
    export_command,
    query_commands,
    report_commands,
    rules_command,
    session_commands,
    sql_command,
    triage_command,
)
from evtxhunt.cli.output import EXIT_ERROR, say
from evtxhunt.errors import EvtxhuntError
from evtxhunt.render.terminal import escape_terminal


class _Group(TyperGroup):
    """Turns what a user can mend into one line on stderr and exit status 3; the rest is a bug and shows itself."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with interrupts_as_such():
                return super().invoke(ctx)
        except EvtxhuntError as error:
            say(f"error: {escape_terminal(str(error))}")
            raise typer.Exit(EXIT_ERROR) from error
        except KeyboardInterrupt as error:
            say("interrupted; the case is valid and holds whole files only, run the same command again to go on")
            raise typer.Exit(130) from error
        except BrokenPipeError as error:  # the reader of our output has seen enough
            sys.stdout = None
            raise typer.Exit(0) from error


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    help="Windows event logs to answers: EVTX into DuckDB, detections, HTML timelines."
    " Exit status: 0 done, 1 findings at --fail-on, lint problems or what verify"
    " found changed, 2 usage, 3 error, 4 done but incomplete.",
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"evtxhunt {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


case_commands.add_to(app)
report_commands.add_to(app)
detect_command.add_to(app)
rules_command.add_to(app)
query_commands.add_to(app)
session_commands.add_to(app)
export_command.add_to(app)
sql_command.add_to(app)
triage_command.add_to(app)


def main() -> None:
    """Entry point of the console script."""
    # Log text that the terminal's encoding lacks must not end a command, and csv decides on line ends itself.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace", newline="")
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")
    if sys.platform == "linux" and sys.argv[1:2] == ["ingest"]:
        from evtxhunt.cli.guard import run_guarded

        run_guarded(app)
    else:
        app()
