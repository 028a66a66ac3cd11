"""The templates of a whole log, for records whose own chunk has lost theirs."""

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sized

from evtxhunt.binxml import RecordRenderer
from evtxhunt.binxml_nodes import Node, UnreadableRecordError
from evtxhunt.chunk import CHUNK_SIZE, template_offsets

# Real logs have up to a few hundred templates, of which a chunk holds some dozens.
_MOST_TEMPLATES = 10_000
# In the nodes that reading them takes, some 200 bytes each; real ones take 100 to 200.
_MOST_WORK = 400_000
# Of one template: where one chunk is damaged, another one has it whole.
_MOST_FAILURES = 20
_DEFINITION_HEADER = struct.Struct("<4x16sI")


class TemplateLibrary:
    """Finds templates by the id that records refer to, in all chunks of a log, which are read at the first question.

    Of a template's GUID a record has the first four bytes only. Where two templates share them neither is given.
    """

    def __init__(self, read_chunks: Callable[[], Iterable[bytes]], ansi_codec: str) -> None:
        self._read_chunks = read_chunks
        self._ansi_codec = ansi_codec
        self._templates: dict[int, tuple[bytes, list[Node]] | None] | None = None
        self._failures: Counter[bytes] = Counter()  # by GUID
        self._work = 0

    def find(self, template_id: int) -> list[Node] | None:
        """The nodes of the only template of this id, None if there is none or another one too. Raises OSError."""
        if self._templates is None:
            self._templates = {}
            for chunk in self._read_chunks():
                self._learn(chunk.ljust(CHUNK_SIZE, b"\0"), self._templates)
        found = self._templates.get(template_id)
        return found[1] if found is not None else None

    def _learn(self, chunk: bytes, templates: dict[int, tuple[bytes, list[Node]] | None]) -> None:
        renderer = RecordRenderer(chunk, self._ansi_codec)
        for offset, guid in _definitions(chunk):
            template_id = int.from_bytes(guid[:4], "little")
            if template_id in templates:
                known = templates[template_id]
                if known is not None and known[0] != guid:
                    templates[template_id] = None
            elif self._has_room(templates, guid):
                before = renderer.work
                try:
                    templates[template_id] = guid, renderer.read_definition(offset)
                except UnreadableRecordError:
                    self._failures[guid] += 1
                finally:
                    self._work += renderer.work - before

    def _has_room(self, templates: Sized, guid: bytes) -> bool:
        """Whether one may read one more: a forged log can define millions."""
        counts = (len(templates), len(self._failures))
        return max(counts) < _MOST_TEMPLATES and self._work < _MOST_WORK and self._failures[guid] < _MOST_FAILURES


def _definitions(chunk: bytes) -> Iterator[tuple[int, bytes]]:
    for offset in template_offsets(chunk):
        guid, size = _DEFINITION_HEADER.unpack_from(chunk, offset)
        if any(guid) and 0 < size <= CHUNK_SIZE - offset - _DEFINITION_HEADER.size:
            yield offset, guid
