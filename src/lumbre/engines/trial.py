"""Try a build before it is called an engine: it has to run here, and take our orders."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lumbre.core.machine import DeviceKind
from lumbre.engines.elf import read_binary
from lumbre.words import Sentence
from lumbre.workers.environment import inherited
from lumbre.workers.flags import FlagMissing, flags, known_flags

PROGRAM = "llama-server"
TRIAL_S = 60.0
"""A first look at a large build on a slow disk, a graphics driver's start included."""
FIRST_S = 10.0
"""The same for its first word: its version."""
ASK_S = 5.0
"""For a program that only says its version."""
_KINDS: tuple[tuple[str, DeviceKind], ...] = (
    ("cuda", "cuda"),
    ("hip", "rocm"),
    ("rocm", "rocm"),
    ("vulkan", "vulkan"),
    ("metal", "metal"),
    ("mtl", "metal"),
)
_LIBRARIES: tuple[tuple[str, DeviceKind], ...] = (
    (r"libcuda(?:rt)?\.so|libcublas\.so\.(\d+)", "cuda"),
    (r"libamdhip64\.so\.(\d+)|libhipblas\.so", "rocm"),
    (r"libvulkan\.so", "vulkan"),
)


class Useless(Exception):
    """It does not run, or not as an engine; the text is its own."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        """A `Sentence`, where it said nothing of its own."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a build said of itself."""

    version: str
    """As its publisher counts: 2026.10.11549, b11669."""
    cards: tuple[str, ...] = ()
    """Names it gives the graphics cards it sees."""


@dataclass(frozen=True, slots=True)
class Made:
    """For what a build's files are made, by what they are linked to."""

    device: DeviceKind
    toolkit: str = ""
    other_machine: str = ""
    """The processor or system it is for, where that is not this one."""


def made_for(folder: Path, main: Path, system: str, processor: str) -> Made:
    """Read from the files, nothing is run. `main` is the program or the package's library."""
    kinds = {kind for word, kind in _KINDS if any(folder.rglob(f"*ggml-{word}*"))}
    binary = read_binary(main)
    other = ""
    if binary is not None and binary.system != system:
        other = binary.system
    elif binary is not None and binary.processor not in ("", processor):
        other = binary.processor
    toolkit = ""
    for path in (main, *folder.rglob("*.so*")):
        found = read_binary(path) if path.is_file() and not path.is_symlink() else None
        for library in found.needed if found else ():
            for pattern, kind in _LIBRARIES:
                if match := re.match(pattern, library):
                    kinds.add(kind)
                    toolkit = toolkit or next((g for g in match.groups() if g), "")
    order: Sequence[DeviceKind] = ("cuda", "rocm", "vulkan", "metal")
    return Made(next((kind for kind in order if kind in kinds), "cpu"), toolkit, other)


def try_wheel(folder: Path) -> Tried:
    """Import an unpacked package in a child, and make a worker's parameters with it.

    Raises:
        Useless: it cannot be imported, or lacks a parameter a worker sets.
    """
    line = [sys.executable, "-P", "-m", "lumbre.workers.try_package", str(folder)]
    said = json.loads(_told(line, TRIAL_S).splitlines()[-1])
    return Tried(said["version"], tuple(said["cards"]))


def try_server(program: Path, wait_s: float = TRIAL_S) -> Tried:
    """Ask a llama-server what it is and which flags it has.

    Raises:
        Useless: it does not run, is something else, or cannot be told what a worker must.
    """
    version = server_version(program, min(wait_s, FIRST_S))
    try:
        flags(_ORDERS, key_path="", known=known_flags(_told([str(program), "--help"], wait_s)))
    except FlagMissing as missing:
        raise Useless(f"it has no {missing}") from None
    listed = _told([str(program), "--list-devices"], wait_s).splitlines()
    names = [line.split(":")[0].strip() for line in listed if line.startswith("  ")]
    return Tried(version, tuple(n for n in names if n.lower().startswith(_CARD_WORDS)))


def server_version(program: Path, wait_s: float = ASK_S) -> str:
    """The llama.cpp release a program is made of: "b11669".

    Raises:
        Useless: it does not answer in time, or not like a llama-server.
    """
    said = _told([str(program), "--version"], wait_s)
    found = re.search(r"\(build (\d+)|version: (\d+)\b(?!\.)", said)
    if not found:
        raise Useless(said.strip().splitlines()[0][:200] if said.strip() else "it said nothing")
    return f"b{found[1] or found[2]}"


def card_kind(cards: Sequence[str]) -> DeviceKind:
    """What kind of cards a build names."""
    named = "".join(cards[:1]).lower()
    return next((kind for word, kind in _KINDS if named.startswith(word)), "cpu")


def _told(line: Sequence[str], wait_s: float) -> str:
    """What a program printed, wherever it printed it."""
    try:
        child = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=inherited(_beside(Path(line[0]))),
            process_group=0,
        )
    except OSError as error:
        raise Useless(error.strerror or str(error)) from None
    with child:
        try:
            printed, _ = child.communicate(timeout=wait_s)
        except BaseException as stopped:
            with suppress(ProcessLookupError):  # what it started goes with it
                os.killpg(child.pid, signal.SIGKILL)
            if isinstance(stopped, subprocess.TimeoutExpired):
                raise Useless(
                    Sentence("engines.bad.no_answer", question=line[-1], seconds=f"{wait_s:g}")
                ) from None
            raise
    said = printed.decode(errors="replace")
    if child.returncode:
        lines = [text for text in said.strip().splitlines() if text.strip()]
        raise Useless(lines[-1][:300] if lines else f"exit status {child.returncode}")
    return said


def _beside(program: Path) -> Mapping[str, str]:
    """A release unpacked into one folder finds its libraries beside the program."""
    if program.parent.is_absolute() and any(program.parent.glob("libllama*")):
        return {"LD_LIBRARY_PATH": str(program.parent)}
    return {}


_CARD_WORDS = ("cuda", "rocm", "vulkan", "mtl", "metal")
_ORDERS: Mapping[str, object] = {
    "path": "", "projector": "", "adapters": ["a"], "devices": [], "embedding": True,
    "context_tokens": 1, "slots": 1, "batch_tokens": 1, "generation_threads": 1,
    "prompt_threads": 1, "kv_type": "q8_0", "cache_ram_mib": 0, "checkpoints": 0,
    "load_mode": "read", "extra_buffers": False, "states_folder": "states", "warm_up": False,
}  # fmt: skip
"""Every order that a release could fail to know, once."""
