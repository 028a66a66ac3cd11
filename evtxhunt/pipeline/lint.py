"""The check of query files: by themselves, and against an empty case."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from evtxhunt import detect as stage
from evtxhunt.correlate import build_tables, undocumented_columns
from evtxhunt.errors import EvtxhuntError, QueryFileError
from evtxhunt.model import Query
from evtxhunt.pipeline.query import load_query_set
from evtxhunt.query_file import FOLDERS, check_attack, check_unique, query_paths, read_query
from evtxhunt.resources import queries_folder, schema_sql


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a query file."""

    path: Path
    text: str


def lint(folder: Path | None = None) -> tuple[int, list[Problem]]:
    """Checks every query file of a folder by itself and against an empty case: (files, problems by path)."""
    root = queries_folder(folder)
    problems: list[Problem] = []
    queries: list[Query] = []
    count = 0
    for kind in FOLDERS:
        for path in query_paths(root, kind):
            count += 1
            try:
                queries.append(read_query(path, kind))
                check_unique(queries)
            except QueryFileError as error:
                problems.append(Problem(path, str(error)))
    problems += [Problem(query.path, text) for query in queries for text in check_attack(query)]
    if problems:
        return count, sorted(problems, key=lambda problem: str(problem.path))
    query_set = load_query_set(folder)
    with duckdb.connect() as connection:
        connection.execute(schema_sql())
        try:
            stage.prepare_connection(connection, query_set.macros_sql, query_set.of_kind("view"))
            build_tables(connection, query_set.of_kind("table"), query_set.of_kind("detection"), "")
        except EvtxhuntError as error:
            return count, [Problem(root, str(error))]
        for table in query_set.of_kind("table"):
            problems += [
                Problem(table.path, f"{table.path}: {text}") for text in undocumented_columns(connection, table)
            ]
        for query in queries:
            problems += [
                Problem(query.path, f"{query.path}: {text}") for text in stage.check_against_case(connection, query)
            ]
    return count, problems
