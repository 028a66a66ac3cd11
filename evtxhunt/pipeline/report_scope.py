"""What a report on one host leaves out of the logs of a case: else each report of a fleet would list those of all."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from evtxhunt.model import ReportRecord, ReportSource, SkippedFile

_LOGS_OF_HOST = """
    WITH own AS (SELECT event_key, source_file_id FROM event WHERE lower(host) = lower($host))
    SELECT source_file_id FROM own
    UNION SELECT event_copy.source_file_id FROM event_copy JOIN own USING (event_key)
"""


class Scope:
    """The logs of a report: those that hold records of the host or that it cites; all of the case without a host."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        sources: Sequence[ReportSource],
        records: Sequence[ReportRecord],
        host: str | None,
    ) -> None:
        kept = set(range(len(sources)))
        if host is not None:
            rows = connection.execute(_LOGS_OF_HOST, {"host": host}).fetchall()
            own = {source_file_id for (source_file_id,) in rows}
            kept = {index for index, source in enumerate(sources) if source.source_file_id in own}
            kept |= {record.source for record in records}
            kept |= {index for record in records for index, _ in record.copies}
        self.place = {index: place for place, index in enumerate(sorted(kept))}
        self.sources = tuple(sources[index] for index in self.place)
        self._folders = None if host is None else {str(Path(source.path).parent) for source in self.sources}

    def records(self, records: Sequence[ReportRecord]) -> tuple[ReportRecord, ...]:
        """The same, with their sources numbered anew."""
        return tuple(
            replace(
                record,
                source=self.place[record.source],
                copies=tuple((self.place[index], number) for index, number in record.copies),
            )
            for record in records
        )

    def skipped(self, files: Sequence[SkippedFile]) -> tuple[SkippedFile, ...]:
        """Those beside the logs."""
        return tuple(item for item in files if self._folders is None or str(item.path.parent) in self._folders)
