"""Makes text safe to print: nothing in a log may move the cursor, recolour or reorder what an analyst reads."""

import re

from evtxhunt.render.text import code_point, hidden_pattern

_HIDDEN = re.compile(hidden_pattern())
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape_terminal(text: str) -> str:
    r"""The text on one line, with control, bidirectional and zero-width characters as escapes such as \x1b or \u202e.

    For eyes only: a backslash stays a backslash, so the result cannot be turned back.
    """
    return _HIDDEN.sub(lambda match: _SHORT.get(match.group()) or code_point(match.group()), text)
