"""Makes the correlated tables of a case from their query files: sessions, hops, coverage. One transaction for all."""

import json
from collections.abc import Sequence
from contextlib import suppress

import duckdb
import pyarrow as pa

from evtxhunt.case_file import DISK_ERRORS, first_line, interrupts_as_such
from evtxhunt.decode import decoded_layers
from evtxhunt.errors import TableError
from evtxhunt.model import OnStep, Query, no_step
from evtxhunt.query_file import order_views

_TEXTS_AT_ONCE = 64  # each may give 4 MiB of layers
# What the tables were made from and by: they are out of date when either is another.
_STATE_TABLE = "correlation_state"
_DECODED = pa.schema(
    {"event_key": pa.int64(), "layer": pa.int32(), "depth": pa.int32(), "method": pa.string(), "text": pa.string()}
)


def build_tables(
    connection: duckdb.DuckDBPyConnection,
    tables: Sequence[Query],
    detections: Sequence[Query],
    rule_set_sha256: str,
    on_step: OnStep = no_step,
) -> None:
    """Drops and makes every correlated table of the case. Raises TableError naming the file that fails.

    Of the detections only what they require is used, for detection_coverage. The connection has the views and may
    write. After an error, or Ctrl-C, the tables are as they were.
    """
    connection.begin()
    try:
        _decode_texts(connection)
        _store_requirements(connection, detections)
        for table in order_views(list(tables)):
            on_step(table.id)
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


def _decode_texts(connection: duckdb.DuckDBPyConnection) -> None:
    """Fills decoded_text from what the view encoded_text chooses. In Python, since SQL cannot inflate."""
    with interrupts_as_such():
        connection.execute("DELETE FROM decoded_text")
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE encoded AS"
            " SELECT row_number() OVER (ORDER BY event_keys[1], text) AS number, * FROM encoded_text"
        )
        (count,) = connection.execute("SELECT count(*) FROM encoded").fetchone() or (0,)
        for first in range(1, count + 1, _TEXTS_AT_ONCE):
            texts = connection.execute(
                "SELECT text, event_keys FROM encoded WHERE number BETWEEN ? AND ?", [first, first + _TEXTS_AT_ONCE - 1]
            ).fetchall()
            rows = [
                (event_key, number, layer.depth, layer.method, layer.text)
                for text, event_keys in texts
                for number, layer in enumerate(decoded_layers(text), 1)
                for event_key in event_keys
            ]
            if rows:
                columns = zip(*rows, strict=True)
                arrays = [pa.array(column, kind) for column, kind in zip(columns, _DECODED.types, strict=True)]
                connection.from_arrow(pa.table(arrays, _DECODED)).insert_into("decoded_text")
        connection.execute("DROP TABLE encoded")


def _store_requirements(connection: duckdb.DuckDBPyConnection, detections: Sequence[Query]) -> None:
    """Makes detection_requirement, which detection_coverage reads: the events that each detection looks at."""
    connection.execute(
        "CREATE OR REPLACE TABLE detection_requirement"
        " (detection_id VARCHAR, title VARCHAR, level VARCHAR, position INTEGER, channel VARCHAR, event_ids INTEGER[])"
    )
    rows = [
        (query.id, query.title, query.level, position, item.channel, list(item.event_id))
        for query in detections
        for position, item in enumerate(query.requires, 1)
    ]
    if rows:
        connection.executemany("INSERT INTO detection_requirement VALUES (?, ?, ?, ?, ?, ?)", rows)


def _build(connection: duckdb.DuckDBPyConnection, table: Query) -> None:
    try:
        with interrupts_as_such():
            connection.execute(f'CREATE OR REPLACE TABLE "{table.id}" AS {table.sql}')
    except DISK_ERRORS:  # the disk's fault and not the table's
        raise
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
