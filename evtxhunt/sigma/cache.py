"""Rules that were read once are kept as JSON beside the case, since reading thousands of YAML files takes seconds.

A cache is taken only if it was made of the very same files by the same code, and only if every value in it has the type
that it must have. Anything else is ignored and made anew; nothing in it is ever run.
"""

import gc
import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import UnionType
from typing import Any, ForwardRef, Literal, Union, get_args, get_origin, get_type_hints

from evtxhunt.sigma import model
from evtxhunt.sigma.files import RuleFile
from evtxhunt.sigma.model import RuleSet

_MAGIC = b"evtxhunt rules 1\n"
# All of SigmaHQ's rules take 15 MB.
_MOST_BYTES = 512_000_000


def cache_key(files: Sequence[RuleFile], placeholders: Mapping[str, tuple[str, ...]]) -> str:
    """SHA-256 over the rules' files, what fills their placeholders, and the code that reads them."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        found.update(path.read_bytes())
    parts: list[str | list[str]] = [version("evtxhunt"), version("pysigma"), version("pyyaml")]
    for file in files:
        parts += [file.name, file.shown, file.problem, hashlib.sha256(file.content or b"").hexdigest()]
    for name, values in sorted(placeholders.items()):
        parts.append([name, *values])
    found.update(json.dumps(parts).encode())
    return found.hexdigest()


def read_cache(path: Path, key: str) -> RuleSet | None:
    """The rules in the cache; None if it is not of this key, damaged, or not there."""
    try:
        with path.open("rb") as file:
            if file.readline(len(_MAGIC)) != _MAGIC or file.readline(80) != key.encode() + b"\n":
                return None
            unpacker = zlib.decompressobj()
            text = unpacker.decompress(file.read(_MOST_BYTES), _MOST_BYTES)
            if not unpacker.eof:
                return None
            gc.disable()  # it would look through a million new tuples again and again: half of the time
            try:
                found = _reader(RuleSet)(json.loads(text))
            finally:
                gc.enable()
    except (OSError, ValueError, TypeError, RecursionError, zlib.error):
        return None
    return found if isinstance(found, RuleSet) else None


def write_cache(path: Path, key: str, rule_set: RuleSet) -> None:
    """Keeps the rules, whole or not at all; where that cannot be done they are read again the next time."""
    content = _MAGIC + key.encode() + b"\n" + zlib.compress(json.dumps(_plain(rule_set)).encode(), 1)
    with suppress(OSError):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".evtxhunt-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise


def _plain(value: object) -> object:
    """The value as JSON knows it: a dataclass is a list of its name and values, a tuple a list."""
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, *(_plain(getattr(value, name)) for name in _names(type(value)))]
    if isinstance(value, Enum):
        return [type(value).__name__, value.value]
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind))


_Reader = Callable[[Any], Any]


@cache
def _reader(hint: Any) -> _Reader:
    """What makes a value of this type of JSON. It raises TypeError or ValueError for anything else."""
    if isinstance(hint, ForwardRef):
        return _reader(getattr(model, hint.__forward_arg__))
    if get_origin(hint) in (Union, UnionType):
        return _one_of(get_args(hint))
    if get_origin(hint) is tuple:
        return _tuple_of(get_args(hint))
    if get_origin(hint) is Literal:
        return _plain_reader(str, frozenset(get_args(hint)))
    if _is_named(hint):
        return _one_of((hint,))
    return _plain_reader(hint)


def _is_named(hint: Any) -> bool:
    return isinstance(hint, type) and (is_dataclass(hint) or issubclass(hint, Enum))


def _plain_reader(kind: type, allowed: frozenset[str] | None = None) -> _Reader:
    def read(value: Any) -> Any:
        if type(value) is not kind or (allowed is not None and value not in allowed):
            raise TypeError(f"no {kind.__name__} of those that may be here")
        return value

    return read


def _tuple_of(hints: tuple[Any, ...]) -> _Reader:
    is_any_length = hints[-1] is ...
    readers = [_reader(hint) for hint in hints if hint is not ... and not isinstance(hint, ForwardRef)]

    def read(value: Any) -> Any:
        if type(value) is not list:
            raise TypeError("no list")
        if is_any_length:
            reader = readers[0] if readers else _reader(hints[0])
            return tuple([reader(item) for item in value])
        return tuple([reader(item) for reader, item in zip(readers, value, strict=True)])

    return read


def _one_of(hints: tuple[Any, ...]) -> _Reader:
    """Of several types: a list says by its first item which dataclass or Enum it is, if it is not a tuple."""
    named = {hint.__name__: hint for hint in hints if _is_named(hint)}
    plain = {hint: _reader(hint) for hint in hints if isinstance(hint, type) and not _is_named(hint)}
    lists = [_reader(hint) for hint in hints if get_origin(hint) is tuple]
    of_fields: dict[str, list[_Reader]] = {}

    def read(value: Any) -> Any:
        if type(value) is not list:
            return plain[type(value)](value) if type(value) in plain else _plain_reader(list)(value)
        if not named:
            return lists[0](value) if lists else _plain_reader(str)(value)
        kind = named.get(value[0]) if value and type(value[0]) is str else None
        if kind is None:
            raise TypeError("nothing of the types that may be here")
        if issubclass(kind, Enum):
            return kind(*value[1:])
        if kind.__name__ not in of_fields:
            hints_of = get_type_hints(kind)
            of_fields[kind.__name__] = [_reader(hints_of[name]) for name in _names(kind)]
        return kind(*[reader(item) for reader, item in zip(of_fields[kind.__name__], value[1:], strict=True)])

    return read
