"""Why a worker ended, in its engine's own words rather than in those of the last line."""

import re
import signal

_LIFTED = re.compile(r"^(?:\d+\.)+\d+ [EWI] (?:(?:srv|cmn|slot)\s+)?\S*:\s*")
"""Time, level and function of a log line. Source: llama.cpp common/log.cpp, seen in b11549."""
_NOISE = re.compile(r"^(?:error loading model|llama_model_loader|error loading model \w+): ")
_TOLD = (
    re.compile(r"(?<=^error: ).*"),
    re.compile(r"(?<=^error while handling argument ).*"),
    re.compile(r"GGML_ASSERT\(.*|GGML_ABORT.*"),
    re.compile(r"failed to open .*", re.IGNORECASE),
    re.compile(r"error loading model: (?!llama_model_loader: failed to load).*"),
    re.compile(r".*(?:out of memory|cannot allocate|failed to allocate).*", re.IGNORECASE),
    re.compile(r".* E .*"),
)
"""In this order: the first that is found is nearer to the cause than any that follows."""
_MOST_CHARACTERS = 300


def of(log: str, exit_status: int | None) -> str:
    """One line: the engine's error, else Python's last, else how the process ended."""
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    for told in _TOLD:
        for line in lines:
            if found := told.search(line):
                return _short(found[0])
    if any(line.startswith("Traceback ") for line in lines):
        return _short(lines[-1])
    return how(exit_status)


def how(exit_status: int | None) -> str:
    """How a process ended: "killed by SIGKILL", "exit status 1"."""
    if exit_status is None:
        return "still running"
    if exit_status < 0:
        try:
            return f"killed by {signal.Signals(-exit_status).name}"
        except ValueError:
            return f"killed by signal {-exit_status}"
    return f"exit status {exit_status}"


def _short(line: str) -> str:
    line = _LIFTED.sub("", line.strip())
    while _NOISE.match(line):
        line = _NOISE.sub("", line)
    return line[:_MOST_CHARACTERS]
