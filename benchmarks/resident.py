"""How much memory a process took, also where a larger one started it."""

import resource
import sys
from pathlib import Path


def peak_resident() -> int:
    """Most bytes of memory that this process held at once.

    On Linux not getrusage()'s ru_maxrss: that of a new process begins with what the process that started it held
    (exec_mmap() in fs/exec.c), so a benchmark or a test of some size would measure itself.
    """
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
