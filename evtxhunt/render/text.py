"""Shows what text hides: control, bidirectional and zero-width characters become escapes that a reader sees.

Log content is written by whoever is being investigated. Characters that a reader cannot see let a name read as
another one (a right-to-left override turns `gpj.exe` into `exe.jpg`), so they are shown as escapes.
"""

import re
from collections.abc import Iterator

# Pairs of first and last code point. Tab and line feed are in the C0 range; `hidden_pattern` can leave them out.
_C0 = ((0x00, 0x1F),)
_HIDDEN = (
    (0x7F, 0x9F),  # delete and C1; 0x9B alone starts a terminal sequence
    (0xAD, 0xAD),  # soft hyphen
    (0x34F, 0x34F),  # combining grapheme joiner
    (0x61C, 0x61C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers: letters without a shape
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),  # zero-width space, joiners, direction marks
    (0x2028, 0x202E),  # line and paragraph separator, embeddings and overrides
    (0x2060, 0x206F),  # word joiner, invisible operators, isolates
    (0x2800, 0x2800),  # Braille blank
    (0x3164, 0x3164),
    (0xD800, 0xDFFF),  # lone surrogates: no character, and no UTF-8 either
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB),
    (0xFFFE, 0xFFFF),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),  # tags and further variation selectors
)
_LINE_BREAKS_AND_TABS = ((0x00, 0x08), (0x0B, 0x0C), (0x0E, 0x1F))


def hidden_pattern(*, ecmascript: bool = False, keep_lines: bool = False) -> str:
    """A regular expression for one hidden character, in Python's or (with flag u) ECMAScript's syntax.

    keep_lines leaves out tab, line feed and a carriage return before a line feed, for where lines are shown as lines.
    """
    ranges = (*(_LINE_BREAKS_AND_TABS if keep_lines else _C0), *_HIDDEN)
    if ecmascript:
        characters = "".join(f"\\u{{{first:x}}}-\\u{{{last:x}}}" for first, last in ranges)
    else:
        characters = "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)
    return f"[{characters}]" + (r"|\r(?!\n)" if keep_lines else "")


def code_point(character: str) -> str:
    r"""The character as an escape: \x1b, \u202e or \U000e0001."""
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


_HIDDEN_IN_LINES = re.compile(hidden_pattern(keep_lines=True))


def split_hidden(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces, each with whether it is the escape of a hidden character; line breaks stay."""
    position = 0
    for match in _HIDDEN_IN_LINES.finditer(text):
        if match.start() > position:
            yield text[position : match.start()], False
        yield code_point(match.group()), True
        position = match.end()
    if position < len(text):
        yield text[position:], False


def show_hidden(text: str) -> str:
    """The text with hidden characters as escapes and line breaks as blanks: one line, encodable as UTF-8."""
    return "".join(piece for piece, _ in split_hidden(text)).replace("\r\n", " ").replace("\n", " ").replace("\t", " ")


def cut(text: str, length: int) -> str:
    """At most `length` characters, the last one an ellipsis if something is left out."""
    return text if len(text) <= length else text[: length - 1] + "…"
