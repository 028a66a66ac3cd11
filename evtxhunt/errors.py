"""What evtxhunt raises when it cannot go on: one line that says what, where and what to do."""


class EvtxhuntError(Exception):
    """Base of every error that a user can mend; the command line prints it and exits with 3."""


class CaseError(EvtxhuntError):
    """The case database is missing, locked, foreign or of another schema version."""


class QueryFileError(EvtxhuntError):
    """A query file breaks the format; the message begins with its path and line."""


class QueryError(EvtxhuntError):
    """SQL could not be run on this case."""


class TableError(QueryError):
    """A correlated table could not be made; the tables are as they were."""

    def __init__(self, table_id: str, text: str) -> None:
        super().__init__(text)
        self.table_id = table_id


class QueryTimeoutError(QueryError):
    """SQL ran past its deadline and was interrupted."""


class AllowListError(EvtxhuntError):
    """An allow-list breaks its format; the message begins with its path."""


class RulesError(EvtxhuntError):
    """Sigma rules, the table of log sources or placeholders cannot be read; the message begins with the path."""


class RedactionKeyError(EvtxhuntError):
    """A redaction key is of another case, is none, or cannot be written."""


class NotesError(EvtxhuntError):
    """A file of analysts' notes breaks its format; the message begins with its path."""


class OutputError(EvtxhuntError):
    """A result could not be written."""
