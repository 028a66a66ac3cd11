"""What the commands share: options, exit statuses, talk on stderr, results in the format that was asked for."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import pyarrow.parquet as pq
import typer

from evtxhunt.errors import OutputError
from evtxhunt.pipeline.manifest import DEFAULT_MEMORY_LIMIT, INGEST_MEMORY_LIMIT
from evtxhunt.pipeline.query import RowStream
from evtxhunt.render.tabular import write_csv, write_json, write_jsonl, write_table

EXIT_FINDINGS = 1
EXIT_DIFFERENCES = 1
EXIT_USAGE = 2
EXIT_ERROR = 3
EXIT_INCOMPLETE = 4

CaseOption = Annotated[
    Path, typer.Option("--case", envvar="EVTXHUNT_CASE", help="The case database.", show_default="case.duckdb")
]
QueriesOption = Annotated[
    Path | None,
    typer.Option(
        "--queries",
        help="Folder with query files of your own: what it has of views/, detections/, hunts/ and macros.sql is"
        " used instead of ours. Also $EVTXHUNT_QUERIES.",
    ),
]
RecoveredOption = Annotated[
    bool,
    typer.Option(
        "--include-recovered",
        help="Count records from slack and carved ones too. They are marked as such; without this they are left out.",
    ),
]
MemoryOption = Annotated[str, typer.Option("--memory", help="Most memory that DuckDB may use, such as 512MB or 4GB.")]
PasswordOption = Annotated[
    str | None,
    typer.Option("--password", help="Of the encrypted archives. It is not kept.", show_default=False),
]
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout", min=0.001, help="Stop a query after so many seconds.")
]
DEFAULT_CASE = Path("case.duckdb")
DEFAULT_MEMORY = DEFAULT_MEMORY_LIMIT
INGEST_MEMORY = INGEST_MEMORY_LIMIT


class Format(StrEnum):
    """How a result is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"


FormatOption = Annotated[Format, typer.Option("--format", help="How to write the result.")]
OutputOption = Annotated[Path | None, typer.Option("-o", "--output", help="File to write the result to.")]


def say(text: str) -> None:
    """One line of talk, to stderr; the caller has escaped log text."""
    typer.echo(text, err=True)


def say_all(lines: Iterable[str]) -> None:
    """Several lines of talk."""
    for line in lines:
        say(line)


def counted(number: int, noun: str) -> str:
    """ "1 row", "2,000 rows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def write_rows(result: RowStream, form: Format, output: Path | None) -> None:
    """Writes a result to a file or stdout, as it comes. Raises OutputError, BadParameter for parquet to stdout."""
    if form is Format.PARQUET:
        if output is None:
            raise typer.BadParameter("parquet is no text: give -o FILE", param_hint="--format")
        reader = result.arrow_reader()
        with writing(output), pq.ParquetWriter(output, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)
        return
    count = 0

    def counting() -> Iterator[tuple[object, ...]]:
        nonlocal count
        for row in result:
            count += 1
            yield row

    writers = {
        Format.TABLE: write_table,
        Format.CSV: write_csv,
        Format.JSON: write_json,
        Format.JSONL: write_jsonl,
    }
    with open_output(output) as stream:
        writers[form](result.columns, counting(), stream)
    if form is Format.TABLE and output is None:
        say(f"({counted(count, 'row')})")


@contextmanager
def open_output(output: Path | None) -> Iterator[TextIO]:
    """The file to write text to, else stdout. Raises OutputError."""
    if output is None:
        yield sys.stdout
        return
    # newline="": the writers decide on line ends, so that the bytes are the same everywhere.
    with writing(output), output.open("w", encoding="utf-8", newline="") as stream:
        yield stream


@contextmanager
def writing(output: Path) -> Iterator[None]:
    """Turns what goes wrong with a file that is being written into an OutputError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{output}: cannot be written: {error.strerror}; give -o another path") from error
