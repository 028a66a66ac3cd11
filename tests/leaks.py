"""Looks for names in the bytes of a report, packed data included."""

import base64
import json
import re
import zlib
from collections.abc import Iterable
from contextlib import suppress


def left_over(names: Iterable[str], output: bytes) -> list[str]:
    """Names that are somewhere in the bytes, in any case, as UTF-8, UTF-16 or behind JSON's escapes."""
    # Hashes and colours are hex digits, and DC01 is too; what is packed is looked at unpacked.
    text = re.sub(rb"[0-9a-f]{32,}|#[0-9a-f]{6}\b", b"", _unpacked(output).lower())
    found = []
    for name in names:
        folded = name.lower()
        shapes = (folded.encode(), folded.encode("utf-16-le"), json.dumps(folded)[1:-1].encode())
        if any(shape in text for shape in shapes):
            found.append(name)
    return sorted(found)


def _unpacked(output: bytes) -> bytes:
    """The output with base64 that is deflated text as that text."""

    def unpack(match: re.Match[bytes]) -> bytes:
        with suppress(ValueError, zlib.error):
            return zlib.decompress(base64.b64decode(match[0]))
        return match[0]

    return re.sub(rb"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{60,}={0,2}", unpack, output)
