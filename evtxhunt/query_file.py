"""Reads and checks query files: a TOML header in SQL comments, then one SELECT. Knows no database."""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Sequence
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Literal

from evtxhunt.attack import technique_problem
from evtxhunt.errors import QueryFileError
from evtxhunt.model import LEVELS, Parameter, Query, Requirement

Kind = Literal["view", "table", "detection", "hunt"]
FOLDERS: dict[Kind, str] = {"view": "views", "table": "correlate", "detection": "detections", "hunt": "hunts"}

# A detection's result has these columns, with any of its own after them; evidence is a list of event_key.
DETECTION_COLUMNS = ("event_time", "host", "computer", "user_name", "summary", "evidence")
# One of its own may be this: the finding's level, one of the header's level and other_levels; NULL is the header's.
LEVEL_COLUMN = "level"
# What every connection has beside the case's tables: the events that count (see detect.prepare_connection).
COUNTED_EVENT = "counted_event"

_FENCE = "-- ---"
_KEYS: dict[Kind, set[str]] = {
    "view": {"id", "title", "description", "materialize"},
    "table": {"id", "title", "description", "columns"},
    "hunt": {"id", "title", "description", "references", "requires", "params"},
    "detection": {
        "id",
        "title",
        "level",
        "other_levels",
        "attack",
        "description",
        "false_positives",
        "references",
        "requires",
        "params",
    },
}
_REQUIRED_KEYS: dict[Kind, tuple[str, ...]] = {
    "detection": ("level", "description", "attack", "requires"),
    "table": ("description", "columns"),
}
_PARAMETER_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "timestamp": (datetime,),
}
_TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?")
# SQL pieces whose inside is no SQL: line comment, block comment, string, dollar-quoted string, quoted name.
_OPAQUE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$|\"(?:[^\"]|\"\")*\"", re.DOTALL)


def query_paths(folder: Path, kind: Kind) -> list[Path]:
    """The files of one kind below `folder`, sorted."""
    return sorted((folder / FOLDERS[kind]).glob("**/*.sql"))


def read_query(path: Path, kind: Kind) -> Query:
    """Reads one file and checks all that can be checked without a database. Raises QueryFileError."""
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QueryFileError(f"{path}: cannot be read: {error}") from error
    header, body_line = _read_header(path, text)
    problems = list(_check_header(header, path, kind))
    if problems:
        key, problem = problems[0]
        raise QueryFileError(f"{path}:{_line_of(text, key)}: {problem}")
    sql = "\n".join(text.splitlines()[body_line:]).strip()
    parameters = tuple(_parameter(name, item) for name, item in sorted(header.get("params", {}).items()))
    for problem in _check_sql(sql, {parameter.name for parameter in parameters}):
        raise QueryFileError(f"{path}:{body_line + 1}: {problem}")
    return Query(
        id=header["id"],
        kind=kind,
        title=header["title"],
        path=path,
        sql=sql.rstrip(";").rstrip(),
        sha256=hashlib.sha256(content).hexdigest(),
        level=header.get("level"),
        other_levels=tuple(header.get("other_levels", ())),
        description=header.get("description", "").strip(),
        attack=tuple(header.get("attack", ())),
        false_positives=tuple(header.get("false_positives", ())),
        references=tuple(header.get("references", ())),
        requires=tuple(Requirement(item["channel"], tuple(item["event_id"])) for item in header.get("requires", ())),
        parameters=parameters,
        is_materialized=header.get("materialize", False),
        columns=tuple(header.get("columns", {}).items()),
    )


def check_attack(query: Query) -> Iterator[str]:
    """Yields what is wrong with the query's ATT&CK ids, with file and line.

    No part of reading: a matrix that moves on must not keep anyone's query from running.
    """
    line = _line_of(query.path.read_text(encoding="utf-8"), "attack") if query.attack else 1
    for technique_id in query.attack:
        if problem := technique_problem(technique_id):
            yield f"{query.path}:{line}: {problem}"


def order_views(views: list[Query]) -> list[Query]:
    """Views, or tables, such that each comes after those that its SQL names. Raises QueryFileError on a cycle."""
    by_id = {view.id: view for view in views}
    uses = {view.id: {name for name in names_in(view.sql) if name in by_id and name != view.id} for view in views}
    try:
        return [by_id[name] for name in TopologicalSorter(dict(sorted(uses.items()))).static_order()]
    except CycleError as error:
        raise QueryFileError(f"{by_id[error.args[1][0]].path}: views use one another: {error.args[1]}") from error


def names_in(sql: str) -> set[str]:
    """The words of SQL outside of comments and strings: every table and view that it names, and more."""
    return set(re.findall(r"\w+", _OPAQUE.sub(" ", sql)))


def used_by(sql: str, queries: Sequence[Query]) -> list[Query]:
    """The views and tables that the SQL names, and those that these name, sorted by id."""
    by_id = {query.id: query for query in queries if query.kind in ("view", "table")}
    used: dict[str, Query] = {}
    waiting = [sql]
    while waiting:
        for name in names_in(waiting.pop()) & by_id.keys() - used.keys():
            used[name] = by_id[name]
            waiting.append(by_id[name].sql)
    return [used[name] for name in sorted(used)]


def convert_parameter(parameter: Parameter, text: str) -> object:
    """The value that `-p name=text` stands for. Raises ValueError with a message for the user."""
    try:
        match parameter.type:
            case "integer":
                return int(text, 0)
            case "number":
                return float(text)
            case "boolean":
                return {"true": True, "false": False}[text.lower()]
            case "timestamp":
                return datetime.fromisoformat(text).replace(tzinfo=None)
            case "string":
                return text
    except (ValueError, KeyError) as error:
        raise ValueError(f"parameter {parameter.name} takes a {parameter.type}, not {text!r}") from error


def _read_header(path: Path, text: str) -> tuple[dict[str, Any], int]:
    """The header's values and the number of lines up to its end."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != _FENCE:
        raise QueryFileError(f"{path}:1: the file must begin with a line `{_FENCE}`")
    end = next((number for number, line in enumerate(lines[1:], 1) if line.strip() == _FENCE), None)
    if end is None:
        raise QueryFileError(f"{path}:1: the header has no closing line `{_FENCE}`")
    toml_lines = []
    for number, line in enumerate(lines[1:end], 2):
        if not line.startswith("--"):
            raise QueryFileError(f"{path}:{number}: every line of the header must begin with `-- `")
        toml_lines.append(line.removeprefix("--").removeprefix(" "))
    try:
        return tomllib.loads("\n".join(toml_lines)), end + 1
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        line_number = int(found.group(1)) + 1 if found else 1
        raise QueryFileError(f"{path}:{line_number}: the header is not valid TOML: {error}") from error


def _check_header(header: dict[str, Any], path: Path, kind: Kind) -> Iterator[tuple[str, str]]:
    """Yields (key, what is wrong with it)."""
    for key in header:
        if key not in _KEYS[kind]:
            yield key, f'unknown key "{key}"; a {kind} has {", ".join(sorted(_KEYS[kind]))}'
    for key in ("id", "title", *_REQUIRED_KEYS.get(kind, ())):
        if key not in header:
            yield "", f'the header has no "{key}"'
    if header.get("id", path.stem) != path.stem:
        yield "id", f'id "{header["id"]}" is not the file name "{path.stem}"'
    if not re.fullmatch(r"[a-z][a-z0-9_]*", path.stem):
        yield "id", f'id "{path.stem}" must be lower-case letters, digits and underscores'
    if path.stem == COUNTED_EVENT:
        yield "id", f'id "{COUNTED_EVENT}" is taken by the events that count, which queries read'
    if "level" in header and header["level"] not in LEVELS:
        yield "level", f'level "{header["level"]}" is not one of {", ".join(LEVELS)}'
    others = header.get("other_levels", [])
    if not isinstance(others, list) or not all(level in LEVELS and level != header.get("level") for level in others):
        yield "other_levels", f"other_levels must be a list of levels besides the detection's own: {', '.join(LEVELS)}"
    if not isinstance(header.get("materialize", False), bool):
        yield "materialize", "materialize must be true or false"
    for key in ("id", "title", "description"):
        if not isinstance(header.get(key, ""), str):
            yield key, f"{key} must be text"
    for key in ("attack", "false_positives", "references"):
        value = header.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            yield key, f"{key} must be a list of texts"
        elif key == "attack":
            for item in value:
                if not _TECHNIQUE.fullmatch(item):
                    yield key, f'attack "{item}" is no technique id such as T1021.006'
    columns = header.get("columns", {})
    if not isinstance(columns, dict) or not all(isinstance(text, str) for text in columns.values()):
        yield "columns", "columns must be a table of column = text"
    yield from _check_requires(header.get("requires", []))
    yield from _check_params(header.get("params", {}))


def _check_requires(value: Any) -> Iterator[tuple[str, str]]:
    items = value if isinstance(value, list) else [None]
    for item in items:
        if not (
            isinstance(item, dict)
            and set(item) == {"channel", "event_id"}
            and isinstance(item["channel"], str)
            and isinstance(item["event_id"], list)
            and item["event_id"]
            and all(isinstance(number, int) for number in item["event_id"])
        ):
            yield "requires", 'requires must be a list like [{channel = "Security", event_id = [4625]}]'


def _check_params(value: Any) -> Iterator[tuple[str, str]]:
    for name, item in value.items() if isinstance(value, dict) else [("params", None)]:
        key = f"[params.{name}]"
        if not isinstance(item, dict) or not {"type", "default"} <= set(item) <= {"type", "default", "description"}:
            yield key, f"parameter {name} needs type and default, and may have description"
        elif item["type"] not in _PARAMETER_TYPES:
            yield key, f'parameter type "{item["type"]}" is not one of {", ".join(_PARAMETER_TYPES)}'
        elif not isinstance(item["default"], _PARAMETER_TYPES[item["type"]]):
            yield key, f"the default of parameter {name} is no {item['type']}"


def _check_sql(sql: str, declared: set[str]) -> Iterator[str]:
    bare = _OPAQUE.sub(" ", sql)
    statements = [statement for statement in bare.split(";") if statement.strip()]
    if len(statements) != 1:
        yield f"the file must hold exactly one SELECT, it holds {len(statements)} statements"
    elif not re.match(r"\s*(SELECT|WITH|FROM)\b", statements[0], re.IGNORECASE):
        yield "the file must hold a SELECT"
    used = set(re.findall(r"\$(\w+)", bare))
    for name in sorted(declared - used):
        yield f"parameter {name} is declared but not used"
    for name in sorted(used - declared):
        yield f"${name} is used but not declared under [params.{name}]"


def _parameter(name: str, item: dict[str, Any]) -> Parameter:
    return Parameter(name, item["type"], item["default"], item.get("description", ""))


def check_unique(queries: list[Query]) -> None:
    """Raises QueryFileError if two files have the same id."""
    seen: dict[str, Path] = {}
    for query in queries:
        first = seen.setdefault(query.id, query.path)
        if first != query.path:
            raise QueryFileError(f"{query.path}:1: id {query.id} is taken by {first}")


def _line_of(text: str, key: str) -> int:
    wanted = re.compile(rf"--\s*{re.escape(key)}(\s*=|\s*$)")
    return next((number for number, line in enumerate(text.splitlines(), 1) if key and wanted.match(line)), 1)
