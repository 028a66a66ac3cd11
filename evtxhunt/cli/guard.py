"""Runs a command in a process of its own, and again without the chunk at which the parser ran away with it.

To be imported on Linux alone; elsewhere commands run as they are.
"""

import ctypes
import mmap
import os
import resource
import signal
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NoReturn

from evtxhunt.cli.output import EXIT_ERROR, say
from evtxhunt.render.terminal import escape_terminal
from evtxhunt.watch import MEMORY_SIZE, ParserWatch, ParserWork, Runaways, parser_work, watch_this_process

# The parser takes about 0.2 ms for a chunk of a real log.
_LOOK_SECONDS = 0.5
# At the same chunk. Seconds of the processor, for a process may be stopped or starved.
_MOST_SECONDS = 20
_MOST_GROWTH = 2**30  # bytes of resident memory
_MOST_LOGS = 100  # with such chunks
_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1  # prctl(2)


def run_guarded(work: Callable[[], object]) -> None:
    """Runs `work` in a fork of this process, which returns; this one ends as that ends, and does not return."""
    memory = mmap.mmap(-1, MEMORY_SIZE)
    runaways = Runaways()
    guard = os.getpid()
    while True:
        # Waited for and not handled: so a signal cannot fall between two looks.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (*_FORWARDED, signal.SIGCHLD))
        child = os.fork()
        if child == 0:
            _become_guarded(memory, runaways, guard, before)
            work()
            return
        status, culprit = _look_after(child, memory)
        if culprit is None:
            _end_as(status)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        going_on = "without the fast parser in this log" if runaways.add(culprit) else "without this chunk"
        is_end = runaways.logs > _MOST_LOGS
        say(
            f"{escape_terminal(culprit.path)}: the parser does not come back from chunk {culprit.chunk};"
            + (f" there are {_MOST_LOGS} such logs already: stopped here" if is_end else f" going on {going_on}")
        )
        if is_end:
            say("What was read is kept. Take these logs away and run this again to read the rest.")
            os._exit(EXIT_ERROR)
        ParserWatch(memory, runaways).end()


def _become_guarded(memory: mmap.mmap, runaways: Runaways, guard: int, mask: Collection[int]) -> None:
    watch_this_process(ParserWatch(memory, runaways))
    # A guard that is killed takes its process along, or the case would stay locked.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard:
        os._exit(1)
    # A crash of the parser is expected here, and no core of gigabytes is wanted.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _look_after(child: int, memory: mmap.mmap) -> tuple[int, ParserWork | None]:
    """Waits for the end of `child`: its status, and the chunk that was its end if one was."""
    seen: ParserWork | None = None
    size, seconds = 0, 0.0
    while True:
        received = signal.sigtimedwait((*_FORWARDED, signal.SIGCHLD), _LOOK_SECONDS)
        # From a terminal the child has got it too.
        if received is not None and received.si_signo in _FORWARDED and received.si_code <= 0:
            os.kill(child, received.si_signo)
        work = parser_work(memory)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
            # SIGKILL comes from users too, and from a system that runs out of memory.
            is_culprit = number in _CRASHES or (number == signal.SIGKILL and work == seen)
            return status, work if is_culprit else None
        if work is None or work != seen:
            seen, (size, seconds) = work, _used(child)
            continue
        size_now, seconds_now = _used(child)
        if seconds_now - seconds > _MOST_SECONDS or size_now - size > _MOST_GROWTH:
            os.kill(child, signal.SIGKILL)
            return os.waitpid(child, 0)[1], work


def _used(process: int) -> tuple[int, float]:
    """Bytes of resident memory and seconds of the processor: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html"""
    try:
        # The name in brackets, which comes second, may hold anything.
        fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0, 0.0
    return int(fields[21]) * mmap.PAGESIZE, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _end_as(status: int) -> NoReturn:
    """Ends this process as another one ended."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))
