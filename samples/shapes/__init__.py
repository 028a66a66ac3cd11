"""Shapes of real Windows events: System constants, field names, their order and their types.

A shape with a `witness` is copied from that real record, and a test compares the two; the others say in
`basis` what they rest on: doc = documentation, a manifest or a public map, mem = memory.
"""

from samples.shapes.base import *  # noqa: F403
from samples.shapes.other import *  # noqa: F403
from samples.shapes.powershell import *  # noqa: F403
from samples.shapes.security import *  # noqa: F403
from samples.shapes.sysmon import *  # noqa: F403
from samples.shapes.system import *  # noqa: F403
from samples.shapes.winrm import *  # noqa: F403
