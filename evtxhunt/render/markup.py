"""Log text as HTML: escaped, with hidden characters made visible and long texts folded."""

from markupsafe import Markup, escape

from evtxhunt.render.text import cut, show_hidden, split_hidden

UNKNOWN = Markup('<span class="unknown" title="not known">—</span>')

# More marked pieces than this in one text are a nuisance on purpose; then escapes are plain text.
_MOST_MARKED_PIECES = 2_000
# Beyond this a text is no longer for reading; the case has it whole.
_LONGEST_FOLDED = 20_000


def show_text(value: object, limit: int = 300) -> Markup:
    """The text with its hidden characters marked; beyond `limit` characters it is folded behind a "show all"."""
    if value is None or value == "":
        return UNKNOWN
    text = str(value)
    if len(text) <= limit:
        return _span("value", text)
    shown = text[:_LONGEST_FOLDED]
    rest = f", the first {len(shown):,} here" if len(shown) < len(text) else ""
    return Markup(
        '{}<details class="fold"><summary>show all ({:,} characters{})</summary><div class="folded">{}</div></details>'
    ).format(_span("value", cut(text, limit)), len(text), rest, _span("value", shown))


def show_label(value: object, limit: int = 80) -> Markup:
    """The text on one line, cut to `limit` characters: for headings, options and the text of links."""
    return UNKNOWN if value is None or value == "" else _span("value", label_text(value, limit))


def label_text(value: object, limit: int = 80) -> str:
    """The same without markup, for attributes and SVG text."""
    return "—" if value is None or value == "" else show_hidden(cut(str(value), limit))


def _span(name: str, text: str) -> Markup:
    pieces = list(split_hidden(text))
    if len(pieces) > _MOST_MARKED_PIECES:
        body = escape("".join(piece for piece, _ in pieces))
    else:
        body = Markup("").join(
            Markup('<span class="hidden-character">{}</span>').format(piece) if is_hidden else escape(piece)
            for piece, is_hidden in pieces
        )
    return Markup('<span class="{}">{}</span>').format(name, body)
