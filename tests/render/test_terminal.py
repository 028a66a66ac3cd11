"""Nothing in a log may act on the analyst's terminal."""

import unicodedata

import pytest

from evtxhunt.render.terminal import escape_terminal


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, Grüße, 日本語 and 🙂", "plain text, Grüße, 日本語 and 🙂"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("two\nlines\r\n\tx", "two\\nlines\\r\\n\\tx"),
        ("invoice\u202egpj.exe", "invoice\\u202egpj.exe"),
        ("\u2066a\u2069\u061c\u200e", "\\u2066a\\u2069\\u061c\\u200e"),
        ("ad\u200bmin\ufeff\u00ad", "ad\\u200bmin\\ufeff\\xad"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("nul\0 del\x7f", "nul\\x00 del\\x7f"),
        ("C:\\x1b", "C:\\x1b"),
        ("", ""),
    ],
)
def test_hidden_characters_become_escapes(text: str, shown: str) -> None:
    assert escape_terminal(text) == shown


def test_every_control_format_and_separator_character_is_escaped() -> None:
    left = [
        number
        for number in range(0x110000)
        if unicodedata.category(chr(number)) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(chr(number)) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        if escape_terminal(chr(number)) == chr(number)
    ]
    assert left == []


def test_format_characters_that_stay_have_a_shape() -> None:
    kept = {
        number
        for number in range(0x110000)
        if unicodedata.category(chr(number)) == "Cf" and escape_terminal(chr(number)) == chr(number)
    }
    # Signs of Arabic, Syriac, Kaithi, Egyptian and shorthand writing: drawn, or moving drawn neighbours only.
    drawn = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    assert kept <= drawn | set(range(0x13430, 0x13440)) | set(range(0x1BCA0, 0x1BCA4))
