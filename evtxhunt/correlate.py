"""Makes the correlated tables of a case from their query files: sessions, hops, coverage. One transaction for all."""

import json
from collections.abc import Sequence
from contextlib import suppress

import duckdb

from evtxhunt.case_file import first_line, interrupts_as_such
from evtxhunt.errors import TableError
from evtxhunt.model import Query
from evtxhunt.query_file import order_views

# What the tables were made from and by: they are out of date when either is another.
_STATE_TABLE = "correlation_state"


def build_tables(connection: duckdb.DuckDBPyConnection, tables: Sequence[Query], rule_set_sha256: str) -> None:
    """Drops and makes every correlated table of the case. Raises TableError naming the file that fails.

    The connection has the views and may write. After an error, or Ctrl-C, the tables are as they were.
    """
    connection.begin()
    try:
        for table in order_views(list(tables)):
            _build(connection, table)
        connection.execute(
            f"CREATE OR REPLACE TABLE {_STATE_TABLE} AS SELECT ?::VARCHAR AS rule_set_sha256,"
            " (SELECT count(*) FROM source_file) AS source_files, (SELECT max(event_key) FROM event) AS last_event_key",
            [rule_set_sha256],
        )
        connection.commit()
    except BaseException:
        with suppress(duckdb.Error):
            connection.rollback()
        raise


def _build(connection: duckdb.DuckDBPyConnection, table: Query) -> None:
    try:
        with interrupts_as_such():
            connection.execute(f'CREATE OR REPLACE TABLE "{table.id}" AS {table.sql}')
    except duckdb.Error as error:
        raise TableError(table.id, f"{table.path}: {first_line(error)}") from error
    comment = json.dumps(table.description, ensure_ascii=False)[1:-1].replace("\\n", " ").replace("'", "''")
    connection.execute(f"COMMENT ON TABLE \"{table.id}\" IS '{comment}'")
    for name, text in table.columns:
        quoted = text.replace("'", "''")
        connection.execute(f'COMMENT ON COLUMN "{table.id}"."{name}" IS \'{quoted}\'')


def undocumented_columns(connection: duckdb.DuckDBPyConnection, table: Query) -> list[str]:
    """What differs between a made table's columns and those its file documents."""
    made = [row[0] for row in connection.execute(f'SELECT column_name FROM (DESCRIBE "{table.id}")').fetchall()]
    documented = [name for name, _ in table.columns]
    if made == documented:
        return []
    return [f"its columns are {', '.join(made)}; [columns] documents {', '.join(documented)}"]


def is_current(connection: duckdb.DuckDBPyConnection, rule_set_sha256: str) -> bool:
    """Whether the case's tables were made by these rules from what the case holds now."""
    try:
        row = connection.execute(
            f"SELECT rule_set_sha256 = ? AND source_files = (SELECT count(*) FROM source_file)"
            f" AND last_event_key IS NOT DISTINCT FROM (SELECT max(event_key) FROM event) FROM {_STATE_TABLE}",
            [rule_set_sha256],
        ).fetchone()
    except duckdb.CatalogException:  # never made
        return False
    return row is not None and bool(row[0])
