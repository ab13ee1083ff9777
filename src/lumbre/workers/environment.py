"""What a child process inherits of our environment: no key or proxy of the user's."""

import os
from collections.abc import Mapping

_KEPT = (
    "PATH", "HOME", "USER", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "TZ",
    "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV",
    "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES",
)  # fmt: skip
QUIET_LLAMA = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GGML_NO_BACKTRACE": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
"""Added for whatever runs llama.cpp. PASSIVE: threads that wait for each other sleep. Spinning,
two of them on one busy core were 12 times slower. GGML_NO_BACKTRACE: a failed assertion would
start gdb on us."""


def inherited(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables a child is started with; `more` are added."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | dict(more or {})
