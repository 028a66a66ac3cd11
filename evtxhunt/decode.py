"""What a script or command line hides: base64, compression, split and spelled-out strings, layer by layer.

Nothing is run. Work and memory are bounded, since attackers write what is decoded here.
"""

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MOST_DEPTH = 6
MOST_LAYERS = 24  # of one text, over all depths
MOST_CHARACTERS = 1 << 20  # of one layer; what is beyond is cut and marked
_CUT = "… (cut here: too long)"

# 16 characters of base64 are 12 bytes: six letters of UTF-16. PowerShell allows line breaks within.
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=])(?:[A-Za-z0-9+/]{4}){4,}+[A-Za-z0-9+/]{0,3}={0,2}")
_SINGLE, _DOUBLE = r"'[^'\r\n]{0,4096}+'", r'"[^"\r\n$]{0,4096}+"'
_STRING = rf"(?:{_SINGLE}|{_DOUBLE})"
_CHARACTER = r"\[char\]\s{0,8}+(?:0x[0-9a-f]{1,4}+|\d{1,5}+)"
_PIECE = rf"(?:{_STRING}|\(?{_CHARACTER}\)?)"
_JOINED = re.compile(rf"{_PIECE}(?:\s{{0,64}}+\+\s{{0,64}}+{_PIECE})++", re.IGNORECASE)
_ONE_PIECE = re.compile(rf"({_STRING})|\[char\]\s{{0,8}}+(0x[0-9a-f]+|\d+)", re.IGNORECASE)
_LONE_CHARACTER = re.compile(rf"\(?{_CHARACTER}\)?", re.IGNORECASE)
_FORMAT = re.compile(
    rf"({_STRING})\s{{0,16}}+-f\s{{0,16}}+({_STRING}(?:\s{{0,16}}+,\s{{0,16}}+{_STRING}){{0,256}}+)", re.IGNORECASE
)
_PLACE = re.compile(r"\{(\d{1,3})\}")
# A list of numbers that becomes text: [char[]](73,69,88), (73,69,88 | % {[char]$_}), -join (0x49,0x45)
_NUMBER = r"(?:0x[0-9a-f]{1,4}+|\d{1,5}+)"
_NUMBERS = re.compile(rf"{_NUMBER}(?:\s{{0,8}}+,\s{{0,8}}+{_NUMBER}){{7,}}+", re.IGNORECASE)
_BACKTICK = re.compile(r"`(?=[A-Za-z])(?![0abfnrtv])", re.IGNORECASE)
_TYPE_WORD = re.compile(r"\[\s*char", re.IGNORECASE)
# What turns a text around: 'txet'[-1..-4], RightToLeft of a Regex, [Array]::Reverse
_TURNED = re.compile(r"\[\s{0,8}+-\s{0,8}+1\s{0,8}+\.\.|righttoleft|\]::reverse\(", re.IGNORECASE)
_COMMAND_WORD = re.compile(r"iex\b|invoke-|new-object|http|powershell|download|system\.|frombase64", re.IGNORECASE)
_LONG_STRING = re.compile(r"'((?:[^']|''){16,}+)'|\"([^\"]{16,}+)\"")


@dataclass(frozen=True, slots=True)
class Layer:
    """What one step made visible; `depth` 1 was made of the text itself, 2 of a layer of depth 1."""

    depth: int
    method: str  # 'base64', 'base64 gzip', 'base64 deflate', 'base64 zlib', 'joined strings', 'numbers', 'reversed'
    text: str


def decoded_layers(text: str) -> list[Layer]:
    """The layers in a script or command line, outermost first; none where nothing is hidden.

    At most MOST_LAYERS, of MOST_CHARACTERS each and four times as many together. Bytes that are no text are told by
    kind, size and SHA-256.
    """
    layers: list[Layer] = []
    seen = {text}
    waiting = [(0, text)]
    room = 4 * MOST_CHARACTERS
    while waiting and len(layers) < MOST_LAYERS:
        depth, current = waiting.pop(0)
        if depth == MOST_DEPTH:
            continue
        for method, result in _steps(current[:MOST_CHARACTERS]):
            if result in seen or len(layers) == MOST_LAYERS or len(result) > room:
                continue
            room -= len(result)
            seen.add(result)
            layers.append(Layer(depth + 1, method, result))
            waiting.append((depth + 1, result))
    return layers


def _steps(text: str) -> Iterator[tuple[str, str]]:
    plain = _joined(text)
    if plain != text:
        # Of a long script only the lines that read differently now.
        known = set(text.splitlines())
        yield "joined strings", "\n".join(line for line in plain.splitlines() if line not in known)
    for found in _BASE64.finditer(text):
        step = _from_base64(found.group())
        if step is not None:
            yield step
    if _TYPE_WORD.search(text):
        for found in _NUMBERS.finditer(text):
            letters = "".join(_letter(number.strip()) for number in found.group().split(","))
            if _is_text(letters):
                yield "numbers", letters
    if _TURNED.search(text):
        for found in _LONG_STRING.finditer(text):
            turned = (found.group(1) or found.group(2))[::-1].replace("''", "'")
            if _COMMAND_WORD.search(turned):
                yield "reversed", turned


def _joined(text: str) -> str:
    """The text with strings joined, characters spelled out, formats filled and needless backticks dropped."""
    text = _BACKTICK.sub("", text)
    for _ in range(MOST_DEPTH):
        before = text
        text = _FORMAT.sub(_fill, text)
        text = _JOINED.sub(lambda found: f"'{_pieces(found.group())}'", text)
        if text == before or len(text) > MOST_CHARACTERS:
            break
    return _LONE_CHARACTER.sub(lambda found: f"'{_pieces(found.group())}'", text)


def _pieces(joined: str) -> str:
    return "".join(string[1:-1] if string else _letter(number) for string, number in _ONE_PIECE.findall(joined))


def _fill(found: re.Match[str]) -> str:
    values = [value[1:-1] for value in re.findall(_STRING, found.group(2))]
    filled = _PLACE.sub(
        lambda place: values[int(place.group(1))] if int(place.group(1)) < len(values) else place.group(),
        found.group(1)[1:-1],
    )
    # A format may name one long value a thousand times.
    return f"'{filled}'" if len(filled) <= MOST_CHARACTERS else found.group()


def _letter(number: str) -> str:
    value = int(number, 16) if number[:2].lower() == "0x" else int(number)
    return chr(value) if value < 0xD800 or 0xDFFF < value <= 0xFFFF else "?"


def _from_base64(digits: str) -> tuple[str, str] | None:
    try:
        data = base64.b64decode(digits.rstrip("=") + "=" * (-len(digits.rstrip("=")) % 4))
    except (binascii.Error, ValueError):
        return None
    method = "base64"
    if data[:2] == b"\x1f\x8b":
        method, data = "base64 gzip", _inflate(data, 31) or data
    elif data[:1] == b"\x78" and (inflated := _inflate(data, 15)):
        method, data = "base64 zlib", inflated
    text = _as_text(data)
    # Raw deflate has no mark of its own: what is no text and inflates to text was deflated.
    if text is None and method == "base64" and (inflated := _inflate(data, -15)) and (raw := _as_text(inflated)):
        return "base64 deflate", raw
    if text is None and (data[:2] == b"MZ" or method != "base64"):
        kind = "Windows program (MZ)" if data[:2] == b"MZ" else "bytes"
        text = f"({kind}, {len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()})"
    return None if text is None else (method, text)


def _inflate(data: bytes, window_bits: int) -> bytes | None:
    """Inflated bytes, at most as many as one layer may have; None if it is none. A cut stream gives what it has."""
    engine = zlib.decompressobj(window_bits)
    try:
        return engine.decompress(data, MOST_CHARACTERS * 2) or None
    except zlib.error:
        return None


def _as_text(data: bytes) -> str | None:
    if data[:2] == b"\xff\xfe":
        data = data[2:]
    is_wide = len(data) >= 4 and data[1::2].count(0) * 10 >= len(data[1::2]) * 7
    try:
        text = data[: len(data) // 2 * 2].decode("utf-16-le") if is_wide else data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if not _is_text(text):
        return None
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + _CUT


def _is_text(text: str) -> bool:
    """Of some length and nearly all printable; words in Latin letters happen to be base64 of noise, which is not."""
    sample = text[:4096]
    return len(sample) >= 4 and sum(c.isprintable() or c in "\r\n\t" for c in sample) * 20 >= len(sample) * 19
