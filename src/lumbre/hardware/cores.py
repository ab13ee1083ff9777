"""How many cores we may really use: not those that affinity or a quota takes away."""

import os
from pathlib import Path

from lumbre.hardware.control_group import core_quotas


def usable_cores(root: Path = Path("/")) -> int:
    """At least 1. A quota of 2.5 cores is 2: a third thread would only be throttled."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        allowed = os.cpu_count() or 1
    return max(1, int(min([float(allowed), *core_quotas(root)])))
