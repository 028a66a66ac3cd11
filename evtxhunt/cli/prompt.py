"""The SQL prompt: multi-line input, history, completion of tables, columns, views, macros and keywords."""

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import SqlLexer

from evtxhunt.cli.output import Format, say, write_rows
from evtxhunt.errors import QueryError
from evtxhunt.pipeline.query import ask
from evtxhunt.render.terminal import escape_terminal

_HELP = """SQL ends with ; and may span lines. Tab completes, up and Ctrl-R search the history, Ctrl-C drops the input.
.tables            tables and views
.schema NAME       columns of one
.quit              leave (or Ctrl-D)"""
_NAMES_SQL = """
    SELECT table_name AS name, table_type AS kind FROM information_schema.tables ORDER BY ALL
"""
_WORDS_SQL = """
    SELECT DISTINCT unnest([table_name, column_name]) AS word FROM duckdb_columns() WHERE NOT internal
    UNION SELECT upper(keyword_name) FROM duckdb_keywords() WHERE keyword_category = 'reserved'
    UNION SELECT function_name FROM duckdb_functions() WHERE function_type = 'macro' AND database_name = 'temp'
    ORDER BY ALL
"""


def run_prompt(connection: duckdb.DuckDBPyConnection, form: Format, timeout_seconds: float | None) -> None:
    """Reads statements until the input ends and shows their results; errors are shown and asked past."""
    session: PromptSession[str] = PromptSession(
        history=_history(),
        completer=WordCompleter(_words(connection), ignore_case=True),
        lexer=PygmentsLexer(SqlLexer),
        key_bindings=_keys(),
        multiline=True,
        prompt_continuation="     ... ",
        enable_history_search=False,
    )
    say("evtxhunt sql: .help for help, Ctrl-D to leave")
    for text in _inputs(session):
        try:
            answer(connection, text, form, timeout_seconds)
        except QueryError as error:
            say(f"error: {escape_terminal(str(error))}")
        except KeyboardInterrupt:
            say("interrupted")


def _inputs(session: PromptSession[str]) -> Iterator[str]:
    while True:
        try:
            text = session.prompt("evtxhunt> ").strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if text in (".quit", ".exit"):
            return
        if text:
            yield text


def answer(connection: duckdb.DuckDBPyConnection, text: str, form: Format, timeout_seconds: float | None) -> None:
    """Shows the answer to SQL or to a command that begins with a dot. Raises QueryError."""
    command, _, argument = text.partition(" ")
    if command == ".help":
        say(_HELP)
        return
    values: dict[str, object] | None = None
    if command == ".tables":
        text = _NAMES_SQL
    elif command == ".schema":
        text = (
            "SELECT column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal"
            " AND table_name = $name ORDER BY column_index"
        )
        values = {"name": argument.strip().rstrip(";")}
    with ask(connection, text, values, timeout_seconds) as result:
        write_rows(result, Format.TABLE if form is Format.PARQUET else form, None)


def _words(connection: duckdb.DuckDBPyConnection) -> list[str]:
    with ask(connection, _WORDS_SQL, None, None) as rows:
        return [str(word) for (word,) in rows]


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _submit_when_complete(event: KeyPressEvent) -> None:
        text = event.current_buffer.text.strip()
        if not text or text.startswith(".") or text.endswith(";"):
            event.current_buffer.validate_and_handle()
        else:
            event.current_buffer.insert_text("\n")

    return keys


def _history() -> History:
    # XDG base directories: what a program remembers but could lose belongs into the state folder.
    folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "evtxhunt"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return FileHistory(str(folder / "sql_history"))
    except OSError:
        return InMemoryHistory()
