"""What the correlated tables of a case say: sessions and hops, for the terminal and for other programs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from evtxhunt.pipeline.manifest import DEFAULT_MEMORY_LIMIT
from evtxhunt.pipeline.query import (
    QuerySet,
    RowStream,
    ask,
    correlate,
    counts_recovered,
    find_query,
    load_query_set,
    open_case,
    run_hunt,
)
from evtxhunt.pipeline.recovered import origins_sql


@dataclass(frozen=True, slots=True)
class Correlated:
    """A correlated table: all of it, what of it fits a terminal, and which columns hold its hosts and accounts.

    `records` is a SELECT of the event_key of those behind a row; empty where a row only counts.
    """

    table: str
    key: str
    short: str
    hosts: tuple[str, ...]
    users: tuple[str, ...]
    records: str = ""

    def sql(self, *, is_short: bool = False, has_origin: bool = False) -> str:
        """A SELECT in a fixed order, with $host and $user as filters; NULL takes all."""
        hosts = " OR ".join(f"lower({name}) = lower($host) OR short_host({name}) = lower($host)" for name in self.hosts)
        users = " OR ".join(f"lower({name}) = lower($user)" for name in self.users) or "false"
        origin = f", {origins_sql(self.records)} AS origin" if has_origin and self.records else ""
        return (
            f"SELECT {self.short if is_short else '*'}{origin} FROM {self.table}"
            f" WHERE ($host IS NULL OR {hosts}) AND ($user IS NULL OR {users}) ORDER BY {self.key}"
        )


_SHOWN_SOURCE = "coalesce(split_part(source_computer, '.', 1), source_ip)"
SESSIONS = Correlated(
    "remoting_session",
    "session_id",
    "session_id AS session, start_time, round(epoch(end_time - start_time))::BIGINT AS seconds, kind,"
    f" {_SHOWN_SOURCE} AS source, split_part(target_computer, '.', 1) AS target,"
    " account(user_domain, user_name) AS user_name,"
    " run_as_user_name AS runs_as, authentication_package AS package, script_blocks AS scripts,"
    " child_processes AS programs, end_reason AS ended, confidence",
    ("source_computer", "source_ip", "target_computer"),
    ("user_name", "source_user_name", "run_as_user_name"),
    "SELECT event_key FROM remoting_witness AS witness WHERE witness.session_id = remoting_session.session_id",
)
HOPS = Correlated(
    "hop",
    "hop_id",
    "hop_id AS hop, event_time, split_part(source_computer, '.', 1) AS source,"
    " split_part(via_computer, '.', 1) AS via, split_part(to_computer, '.', 1) AS target, method, user_name,"
    " next_user_name AS goes_on_as, CASE WHEN is_failed THEN 'refused' ELSE '' END AS result, confidence, reason",
    ("source_computer", "via_computer", "to_computer"),
    ("user_name", "next_user_name"),
    # A hop is no surer than the sessions that it joins.
    "SELECT unnest(hop.event_keys) AS event_key UNION SELECT event_key FROM remoting_witness AS witness"
    " WHERE witness.session_id IN (hop.from_session_id, hop.to_session_id)",
)
COVERAGE = Correlated(
    "log_coverage",
    "computer, channel",
    "split_part(computer, '.', 1) AS computer, channel, records, first_time, last_time,"
    " missing_records AS missing, notes",
    ("computer",),
    (),
)

DETECTIONS = Correlated(
    "detection_coverage",
    "detection_id, computer",
    "detection_id AS detection, level, split_part(computer, '.', 1) AS computer,"
    " CASE WHEN is_possible THEN 'yes' ELSE 'no' END AS could_fire, events, missing",
    ("computer",),
    (),
)
_SHORT_LINE = "event_time, split_part(computer, '.', 1) AS computer, text, records"


@dataclass(frozen=True, slots=True)
class Story:
    """What `timeline` tells: NULL takes all. Times are UTC."""

    host: str | None = None
    user: str | None = None
    session_id: int | None = None
    from_time: datetime | None = None
    to_time: datetime | None = None
    is_routine_shown: bool = False


@contextmanager
def timeline_of(
    story: Story,
    case: Path,
    query_set: QuerySet,
    *,
    is_short: bool = False,
    memory_limit: str = DEFAULT_MEMORY_LIMIT,
) -> Iterator[RowStream]:
    """Lines of the hunt `timeline`: event_time, computer, kind, text, records, session_id, event_keys, user_name.

    `is_short` leaves out what does not fit a terminal. Raises CaseError, QueryError.
    """
    correlate(case, query_set, memory_limit=memory_limit)
    hunt = find_query(query_set.queries, "timeline")
    given = {
        "host": story.host,
        "user": story.user,
        "session_id": story.session_id,
        "from_time": story.from_time,
        "to_time": story.to_time,
        "routine": story.is_routine_shown,
    }
    values = {name: value for name, value in given.items() if value is not None}
    with (
        open_case(case, query_set, memory_limit=memory_limit) as connection,
        run_hunt(connection, query_set, hunt, values, None, columns=_SHORT_LINE if is_short else "*") as rows,
    ):
        yield rows


@contextmanager
def rows_of(
    what: Correlated,
    case: Path,
    query_set: QuerySet,
    *,
    host: str | None = None,
    user: str | None = None,
    is_short: bool = False,
    memory_limit: str = DEFAULT_MEMORY_LIMIT,
) -> Iterator[RowStream]:
    """Rows of a correlated table, which is made first where it is missing or out of date.

    `host` is a short name, a name or an address, `user` an account without domain. Where recovered records are counted
    the last column is `origin`. Raises CaseError, QueryError.
    """
    correlate(case, query_set, memory_limit=memory_limit)
    with open_case(case, query_set, memory_limit=memory_limit) as connection:
        sql = what.sql(is_short=is_short, has_origin=counts_recovered(connection, query_set))
        with ask(connection, sql, {"host": host, "user": user}, None) as rows:
            yield rows


class Case:
    """A case for other Python programs: `evtxhunt.Case("case.duckdb").sessions().to_pandas()`.

    Every method gives an Arrow table whose columns `evtxhunt sql` documents; times are naive UTC. Tables that
    are missing or out of date are made first, which needs the case for writing. With `include_recovered` records from
    slack and carved ones count, which are left out otherwise. Raises CaseError, QueryError.
    """

    def __init__(
        self, path: str | Path, *, memory_limit: str = DEFAULT_MEMORY_LIMIT, include_recovered: bool = False
    ) -> None:
        self.path = Path(path)
        self._memory_limit = memory_limit
        self._include_recovered = include_recovered

    def sessions(self, *, host: str | None = None, user: str | None = None) -> pa.Table:
        """Table remoting_session: one row a remoting session."""
        return self._table(SESSIONS, host, user)

    def hops(self, *, host: str | None = None, user: str | None = None) -> pa.Table:
        """Table hop: one row a second hop."""
        return self._table(HOPS, host, user)

    def coverage(self, *, host: str | None = None) -> pa.Table:
        """Table log_coverage: what each log could have shown."""
        return self._table(COVERAGE, host, None)

    def detection_coverage(self, *, host: str | None = None) -> pa.Table:
        """Table detection_coverage: what each detection could have found on each computer."""
        return self._table(DETECTIONS, host, None)

    def timeline(self, story: Story | None = None) -> pa.Table:
        """The story: event_time, computer, kind, text, records, session_id, event_keys, user_name."""
        query_set = self._query_set()
        with timeline_of(story or Story(), self.path, query_set, memory_limit=self._memory_limit) as rows:
            return rows.arrow_reader().read_all()

    def sql(self, query: str) -> pa.Table:
        """The result of one SELECT over tables, views and macros; read-only."""
        query_set = self._query_set()
        correlate(self.path, query_set, memory_limit=self._memory_limit)
        with (
            open_case(self.path, query_set, memory_limit=self._memory_limit) as connection,
            ask(connection, query, None, None) as rows,
        ):
            return rows.arrow_reader().read_all()

    def _table(self, what: Correlated, host: str | None, user: str | None) -> pa.Table:
        query_set = self._query_set()
        with rows_of(what, self.path, query_set, host=host, user=user, memory_limit=self._memory_limit) as rows:
            return rows.arrow_reader().read_all()

    def _query_set(self) -> QuerySet:
        return load_query_set(include_recovered=self._include_recovered)
