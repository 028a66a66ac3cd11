"""Work in processes of its own: forks of this one, which tell how they get on and can be stopped from outside.

This process must not have begun anything that has threads (a DuckDB connection, an Arrow thread pool): a fork has none
of them, but their locks. So all that uses these runs in forks. Not on Windows, which has no fork.
"""

import ctypes
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from evtxhunt.errors import EvtxhuntError

Message = dict[str, Any]
Tell = Callable[[Message], None]
Isolate = Callable[[Callable[[], object]], None]
"""Runs work in a process of its own, which returns; this one ends as that ends."""

_PR_SET_PDEATHSIG = 1  # prctl(2)


class Child:
    """A fork of this process that runs `work`, which is given a way to tell messages: small JSON objects.

    What work raises as EvtxhuntError is told as {"error": its text}, anything else is a bug: its traceback is told.
    """

    def __init__(self, work: Callable[[Tell], object], *, isolate: Isolate | None = None) -> None:
        reading, writing = os.pipe()
        parent = os.getpid()
        self.started = time.monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reading)
            _run(work, writing, parent, isolate)
        os.close(writing)
        os.set_blocking(reading, False)
        self._reading = reading
        self._pending = b""
        self.status: int | None = None  # exit status, or minus the signal that ended it

    def fileno(self) -> int:
        """For select."""
        return self._reading

    def messages(self) -> list[Message]:
        """What it has told since the last call; `status` is set once it has ended and told all."""
        found: list[Message] = []
        while self.status is None:
            try:
                said = os.read(self._reading, 65536)
            except BlockingIOError:
                break
            if not said:
                self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
                os.close(self._reading)
            *lines, self._pending = (self._pending + said).split(b"\n")
            found += [json.loads(line) for line in lines]
        return found

    def seconds(self) -> float:
        """Since it was started."""
        return time.monotonic() - self.started

    def resident(self) -> int:
        """Bytes of memory that it and the processes which it started hold for themselves, without what they still share
        with the process that they are forks of; 0 where that cannot be seen."""
        pids = [str(self.pid)]
        try:
            pids += Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            return sum(map(_private, pids))
        except OSError:
            return 0

    def kill(self) -> None:
        """Ends it, and with it what it started; afterwards it has told all."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            while self.status is None:
                select.select([self], [], [], 1)
                self.messages()


def _private(pid: str) -> int:
    """Bytes of memory of one process that no other one shares (proc_pid_smaps(5)). Raises OSError."""
    fields = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines())
    return sum(int(size) * 1024 for name, size, *_ in fields if name in ("Private_Clean:", "Private_Dirty:"))


def wait_any(children: Sequence[Child], seconds: float) -> None:
    """Until one of them has something to tell or has ended, or the time is over."""
    select.select(children, [], [], seconds)


def die_with(parent: int) -> None:
    """On Linux: lets the system end this process when `parent`, which forked it, ends in whatever way."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _run(work: Callable[[Tell], object], writing: int, parent: int, isolate: Isolate | None) -> NoReturn:
    """In the fork: never returns into the code that forked."""

    def tell(message: Message) -> None:
        line = json.dumps(message).encode() + b"\n"
        while line:
            line = line[os.write(writing, line) :]

    status = 1
    try:
        os.setpgid(0, 0)  # Ctrl-C is for the process that started all this one
        die_with(parent)
        if isolate is None:
            work(tell)
        else:
            isolate(lambda: work(tell))
        status = 0
    except EvtxhuntError as error:
        tell({"error": str(error)})
    except MemoryError:
        tell({"error": "out of memory"})
    except BaseException:  # noqa: BLE001 - a bug; it must be told, and must not unwind into the code that forked
        tell({"bug": traceback.format_exc()})
    finally:
        os._exit(status)
