"""A stream of batches into DuckDB that ends as Python code does: with its own exception, or by Ctrl-C."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pyarrow as pa


class RaisingStream:
    """Remembers what a batch iterator raised: on its way through Arrow and DuckDB an exception loses its type."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self.raised: BaseException | None = None
        self.is_interrupted = False

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        try:
            if self.is_interrupted:
                raise KeyboardInterrupt
            return next(self._batches)
        except StopIteration:
            raise
        except BaseException as error:
            self.raised = error
            raise


@contextmanager
def interrupting(stream: RaisingStream) -> Iterator[None]:
    """Makes Ctrl-C end the stream: raised anywhere else below DuckDB, it comes out as other errors or not at all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end_stream(_number: int, _frame: FrameType | None) -> None:
        stream.is_interrupted = True

    before = signal.signal(signal.SIGINT, end_stream)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if stream.is_interrupted:
        raise KeyboardInterrupt
