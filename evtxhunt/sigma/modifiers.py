"""Modifiers that pySigma 1.5.1 lacks, or makes otherwise than the specification's appendix on modifiers says."""

from base64 import b64encode

from sigma.exceptions import SigmaValueError
from sigma.modifiers import SigmaBase64Modifier, SigmaBase64OffsetModifier, SigmaValueModifier, modifier_mapping
from sigma.types import SigmaExpansion, SigmaString


class _Encoded(SigmaString):
    """Text whose letters are the bytes of an encoding."""


class _Utf16Modifier(SigmaValueModifier[SigmaString, SigmaString]):
    """pySigma takes ASCII only, and writes the byte order mark as UTF-8, which is in no UTF-16 text."""

    codec = "utf-16-le"
    mark = ""

    def modify(self, val: SigmaString) -> SigmaString:
        made = _Encoded()
        made.s = [self._encode(part) if isinstance(part, str) else part for part in val.s]
        if self.mark:
            made.s.insert(0, self.mark)
        return made

    def _encode(self, part: str) -> str:
        return part.encode(self.codec).decode("latin-1")


class _Utf16BeModifier(_Utf16Modifier):
    codec = "utf-16-be"


class _Utf16MarkedModifier(_Utf16Modifier):
    mark = "\xff\xfe"


def _raw(value: SigmaString) -> bytes:
    """The bytes to write as Base64: pySigma's have a backslash before every * and ? of the text."""
    if not all(isinstance(part, str) for part in value.s):
        raise SigmaValueError("Base64 of text with placeholders or wildcards is not allowed")
    return "".join(map(str, value.s)).encode("latin-1" if isinstance(value, _Encoded) else "utf-8")


class _Base64Modifier(SigmaBase64Modifier):
    def modify(self, val: SigmaString) -> SigmaString:
        return SigmaString(b64encode(_raw(val)).decode())


class _Base64OffsetModifier(SigmaBase64OffsetModifier):
    """pySigma counts letters where it must count bytes: beyond ASCII it cuts off too much or too little."""

    def modify(self, val: SigmaString) -> SigmaExpansion:
        raw = _raw(val)
        return SigmaExpansion(
            [
                SigmaString(
                    b64encode(b" " * offset + raw)[
                        self.start_offsets[offset] : self.end_offsets[(len(raw) + offset) % 3]
                    ].decode()
                )
                for offset in range(3)
            ]
        )


def mend_modifiers() -> None:
    """Has pySigma use these from now on."""
    modifier_mapping.update(
        utf16le=_Utf16Modifier,
        wide=_Utf16Modifier,
        utf16be=_Utf16BeModifier,
        utf16=_Utf16MarkedModifier,
        base64=_Base64Modifier,
        base64offset=_Base64OffsetModifier,
    )
