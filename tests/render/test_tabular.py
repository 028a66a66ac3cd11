"""Results as CSV, JSON, JSON Lines and table: exact, safe and the same every time."""

import csv
import io
import json
import os
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from evtxhunt.render import tabular
from evtxhunt.render.tabular import unique_names, write_csv, write_json, write_jsonl, write_table

_VALUES: list[tuple[object, str, str]] = [
    # value, CSV cell, JSON
    (None, "", "null"),
    ("", '""', '""'),
    (True, "true", "true"),
    (False, "false", "false"),
    (-7, "-7", "-7"),
    (18_446_744_073_709_551_615, "18446744073709551615", "18446744073709551615"),
    (0.1, "0.1", "0.1"),
    (float("nan"), "nan", '"NaN"'),
    (float("-inf"), "-inf", '"-Infinity"'),
    (Decimal("12345678901234567890.10"), "12345678901234567890.10", "12345678901234567890.10"),
    (Decimal("1E+3"), "1000", "1000"),
    (datetime(2019, 5, 16, 1, 35, 0, 123456), "2019-05-16T01:35:00.123456Z", '"2019-05-16T01:35:00.123456Z"'),
    (datetime(1601, 1, 1), "1601-01-01T00:00:00.000000Z", '"1601-01-01T00:00:00.000000Z"'),
    (datetime(2020, 1, 1, 12, tzinfo=UTC), "2020-01-01T12:00:00.000000Z", '"2020-01-01T12:00:00.000000Z"'),
    (date(2020, 2, 29), "2020-02-29", '"2020-02-29"'),
    (time(1, 2, 3), "01:02:03", '"01:02:03"'),
    (timedelta(minutes=1, microseconds=5), "60.000005 s", '"60.000005 s"'),
    (b"\x00\xff", "00ff", '"00ff"'),
    (
        UUID("6d5e1c3c-0000-4000-8000-000000000001"),
        "6d5e1c3c-0000-4000-8000-000000000001",
        '"6d5e1c3c-0000-4000-8000-000000000001"',
    ),
    ([1, None, "a"], '"[1, null, ""a""]"', '[1, null, "a"]'),
    ({"k": datetime(2020, 1, 1)}, '"{""k"": ""2020-01-01T00:00:00.000000Z""}"', '{"k": "2020-01-01T00:00:00.000000Z"}'),
    ("a,b", '"a,b"', '"a,b"'),
    ('say "x"', '"say ""x"""', '"say \\"x\\""'),
    ("two\r\nlines", '"two\r\nlines"', '"two\\r\\nlines"'),
    ("Grüße 🙂", "Grüße 🙂", '"Grüße 🙂"'),
    ("a\u202eb\x1b", "a\u202eb\x1b", '"a\\u202eb\\u001b"'),
    ("\U000e0041", "\U000e0041", '"\\udb40\\udc41"'),
    ("\ud800", "\\ud800", '"\\ud800"'),
]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("value", "cell", "_json"), _VALUES)
def test_csv_cell(value: object, cell: str, _json: str) -> None:
    stream = io.StringIO()
    write_csv(["a"], [(value,)], stream)
    assert stream.getvalue() == f"a\r\n{cell}\r\n"


@pytest.mark.parametrize(("value", "_cell", "text"), _VALUES)
def test_json_value(value: object, _cell: str, text: str) -> None:
    stream = io.StringIO()
    write_jsonl(["a"], [(value,)], stream)
    assert stream.getvalue() == f'{{"a": {text}}}\n'
    json.loads(stream.getvalue())
    stream.getvalue().encode("utf-8")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_text_that_a_spreadsheet_would_evaluate_gets_an_apostrophe(start: str) -> None:
    stream = io.StringIO()
    write_csv(["a", f"{start}b"], [(f"{start}cmd|' /C calc'!A0", -1)], stream)
    header, row = csv.reader(io.StringIO(stream.getvalue(), newline=""))
    assert header == ["a", f"'{start}b"]
    assert row == [f"'{start}cmd|' /C calc'!A0", "-1"]


def test_csv_reads_back_to_the_same_texts() -> None:
    texts = ['"', ",", "\r", "\n", "\r\n", "a\0b", "  blanks  ", "'"]
    stream = io.StringIO(newline="")
    write_csv(["n", "text"], [(index, f"x{text}") for index, text in enumerate(texts)], stream)
    rows = list(csv.reader(io.StringIO(stream.getvalue(), newline="")))
    assert [row[1] for row in rows[1:]] == [f"x{text}" for text in texts]


def test_csv_on_a_terminal_is_escaped() -> None:
    stream = Terminal()
    write_csv(["a"], [("\x1b[2J\u202e",)], stream)
    assert stream.getvalue() == "a\r\n\\x1b[2J\\u202e\r\n"


def test_json_is_one_array() -> None:
    stream = io.StringIO()
    write_json(["a", "b"], iter([(1, "x"), (2, None)]), stream)
    assert stream.getvalue() == '[\n{"a": 1, "b": "x"},\n{"a": 2, "b": null}\n]\n'


def test_json_of_no_rows_is_an_empty_array() -> None:
    stream = io.StringIO()
    write_json(["a"], [], stream)
    assert stream.getvalue() == "[]\n"


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (["a", "b"], ("a", "b")),
        (["a", "a", "a"], ("a", "a_1", "a_2")),
        (["a", "a", "a_1"], ("a", "a_2", "a_1")),
        (["a_1", "a", "a"], ("a_1", "a", "a_2")),
    ],
)
def test_columns_of_the_same_name_are_told_apart(columns: list[str], names: tuple[str, ...]) -> None:
    assert unique_names(columns) == names


def test_rows_are_written_as_they_come() -> None:
    stream = io.StringIO()

    def rows() -> object:
        yield (1,)
        assert stream.getvalue().endswith('{"a": 1}\n')
        yield (2,)

    write_jsonl(["a"], rows(), stream)
    assert stream.getvalue() == '{"a": 1}\n{"a": 2}\n'


def test_table_is_aligned_and_escaped() -> None:
    stream = io.StringIO()
    rows = [("DC1", 7, datetime(2020, 1, 1)), ("界\x1b[0m", 1_000, None), (None, None, None)]
    write_table(["host", "events", "event_time"], rows, stream)
    assert stream.getvalue().splitlines() == [
        "host       events  event_time",
        "---------  ------  ---------------------------",
        "DC1             7  2020-01-01T00:00:00.000000Z",
        "界\\x1b[0m    1000",
        "",
    ]


def test_table_of_no_rows_is_its_header() -> None:
    stream = io.StringIO()
    write_table(["host"], [], stream)
    assert stream.getvalue() == "host\n----\n"


def test_table_is_cut_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabular.shutil, "get_terminal_size", lambda: os.terminal_size((30, 24)))
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        write_table(["id", "command_line"], [(1, "powershell.exe " * 10), (2, "x")], stream)
    assert terminal.getvalue().splitlines() == [
        "id  command_line",
        "--  --------------------------",
        " 1  powershell.exe powershell…",
        " 2  x",
    ]
    assert ("powershell.exe " * 10).strip() in pipe.getvalue()


def test_a_row_after_the_sampled_ones_is_written_whole() -> None:
    stream = io.StringIO()
    write_table(["a", "b"], [*[("x", 1)] * 1_000, ("longer", 2)], stream)
    assert stream.getvalue().splitlines()[-1] == "longer  2"
