"""What a kind of engine promises: how to start it, how to reach it, what it can do.

A capability is having the method: an engine that embeds satisfies `Embeds`, and nothing
else declares it.
"""

from array import array
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from lumbre.core.generation import ChatRequest, Delta
from lumbre.core.messages import Message
from lumbre.core.model import Manifest

LoadMode = Literal["mmap", "read"]
KvType = Literal["f16", "q8_0"]
CONTEXT_CHECKPOINTS = 2
"""How often an engine keeps what it cannot work back to (sliding windows, recurrent states), for
each slot: to go on from there when a prompt differs later. Its own default is 32, unplanned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How one worker is to run. The plan's choice, not the model's."""

    context_tokens: int
    """Of the whole worker; its slots share it."""
    slots: int = 1
    """Requests it serves at a time."""
    prompt_threads: int = 1
    generation_threads: int = 1
    load_mode: LoadMode = "mmap"
    extra_buffers: bool = True
    """Let the CPU backend keep a second, faster copy of some quants."""
    cache_ram_mib: int = 0
    """Prompt cache outside the slots, MiB; the engine's own default is 8 GiB."""
    kv_type: KvType = "f16"
    gpu_layers: int = 0
    """On cards: the last so many, the output counted as one more; the rest on the CPU."""
    devices: tuple[str, ...] = ()
    """The cards in use, in the order they are filled: gpu0, gpu1 ..."""
    card_uuids: tuple[str, ...] = ()
    """The same cards as their driver names them; empty where it does not."""
    tensor_split: tuple[int, ...] = ()
    """Layers on each of `devices`."""
    expert_layers_on_cpu: int = 0
    """The first so many of all layers keep their experts in main memory."""
    warm_up: bool = False
    """Have the engine touch all of its weights before it is ready. One token does that too, but
    in a mixture of experts only to those it is sent to."""
    engine_path: str = ""
    """An engine that was installed: the folder of its package, or the program. Empty: the one
    that comes with lumbre, or the program of the engine's name on PATH."""
    batch_tokens: int = 64
    """Prompt tokens read between two looks at whether the caller is still there. On a CPU a
    larger batch reads no faster (64 to 512: within 5 %) and costs memory."""
    states_folder: str = ""
    """Where the engine may write what a slot has read; empty: nowhere."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a worker: a module of ours, and the one JSON line it reads first.

    The settings go through the child's standard input, so that its key stands neither
    on a command line nor in an environment. The pipe then stays open: its end is how the
    child learns that its parent is gone.
    """

    module: str
    settings: Mapping[str, object]
    environment: Mapping[str, str]


class Engine(Protocol):
    """A running engine, connected."""

    @property
    def progress(self) -> int:
        """Grows with each event and vector that comes from it, whoever asked for them."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for it now. Not while a caller keeps an answer and reads none
        of it: then the engine owes nothing."""
        ...

    @property
    def broken(self) -> int:
        """Grows with each answer that broke off, never came, or was an error of its own making."""
        ...

    async def close(self) -> None:
        """Give the connection back. Does not stop the worker."""
        ...

    async def alive(self) -> None:
        """Return once its inference loop has turned: a cheap proof for a worker that is idle.

        It touches no conversation's cache and costs next to nothing, for it is asked for
        every few seconds. A token would be the better proof, and takes a slot: what that
        conversation had read is then read again. Use `ready` where this one fails.

        Raises:
            EngineRefused, WorkerFailed: it said no, or nothing.
        """
        ...

    async def ready(self) -> None:
        """Return once the engine has produced a real token or vector.

        Raises:
            EngineRefused: it answered, and not with one.
        """
        ...


@runtime_checkable
class Chats(Protocol):
    """Continues a talk."""

    def chat(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """The answer in deltas; the last has a `finish`. Closing the generator frees the slot:
        `async with aclosing(engine.chat(...))`, for a `break` alone closes nothing in time.

        Raises:
            PromptTooLong: the engine counted more tokens than its window.
            EngineRefused: any other error it answered with.
            WorkerFailed: the connection broke and the answer cannot be resumed.
        """
        ...

    async def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt these messages become, template included."""
        ...


@runtime_checkable
class Remembers(Protocol):
    """Keeps what a slot has read in a file, and goes on from it in another process.

    Files are named without a folder: they are in the settings' `states_folder`. A slot
    that is at work is waited for.
    """

    async def save(self, slot: int, name: str) -> int:
        """The tokens that were written; 0: the slot has read nothing.

        Raises:
            EngineRefused: it cannot, or there is no room on the disk.
            WorkerFailed: the worker is gone.
        """
        ...

    async def restore(self, slot: int, name: str) -> int:
        """The tokens that the slot now knows. Only a file that is whole, of the same weights
        and build, may be given: an engine may end over any other.

        Raises: as `save`; the slot is then empty.
        """
        ...

    async def erase(self, slot: int) -> None:
        """The slot knows nothing any more.

        Raises: as `save`.
        """
        ...


@runtime_checkable
class Embeds(Protocol):
    """Turns texts into vectors."""

    async def embed(self, texts: Sequence[str]) -> list["array[float]"]:
        """One unit-length float32 vector per text, in order."""
        ...


class Backend(Protocol):
    """A kind of engine. One file each in `lumbre.backends`, found by name."""

    name: str

    def launch(
        self, manifest: Manifest, files: Mapping[str, Path], settings: WorkerSettings, key: str
    ) -> Launch:
        """What to run. `files` are the model's weights by part, verified. Starts nothing."""
        ...

    def connect(self, manifest: Manifest, url: str, key: str) -> Engine:
        """An engine for a worker that printed `url`."""
        ...
