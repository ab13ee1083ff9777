"""Ask the engine itself what a model would take, and remember its answers.

The dry run is a throw-away process (`lumbre.workers.dry_run`): a header that makes the
engine abort ends that process and nothing else, and then there is no answer.
"""

import json
import select
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from lumbre.core.backend import KvType
from lumbre.planner.records import Records, file_key
from lumbre.workers.environment import QUIET_LLAMA, inherited

_PATIENCE_S = 30.0
_END_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What of a worker's settings the engine's buffers depend on."""

    context_tokens: int
    slots: int
    batch_tokens: int
    kv_type: KvType
    embeds: bool = False


@dataclass(frozen=True, slots=True)
class Buffers:
    """Bytes the engine would allocate in main memory."""

    weights_bytes: int
    """Every tensor in the form of the file, repacked copies left out."""
    kv_bytes: int
    compute_bytes: int


class Oracle:
    """The engine's dry run, started when first asked; close it, or use it in a `with`."""

    def __init__(self, records: Records, build: str) -> None:
        self._records = records
        self.build = build
        self._child: subprocess.Popen[str] | None = None
        self._is_usable = True
        self.asked = 0
        """Questions that were not answered from memory."""

    def __enter__(self) -> "Oracle":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def buffers(self, path: Path, shape: Shape) -> Buffers | None:
        """What a worker on the CPU would allocate; None where the engine cannot say.

        An answer is remembered, and that the engine fell over a file; not that it was slow.
        """
        try:
            file = file_key(path)
        except OSError:
            return None
        text = f"{shape.context_tokens}/{shape.slots}/{shape.batch_tokens}/{shape.kv_type}"
        text += "/embeds" if shape.embeds else ""
        known = self._records.dry_run(file, self.build, text)
        if known is None:
            known = self._ask(path, shape)
            if self._is_usable and known is not None:
                self._records.keep_dry_run(file, self.build, text, known)
        devices = known.get("devices") if known else None
        if not devices:
            return None
        host = devices[-1]
        return Buffers(host["weights_bytes"], host["kv_bytes"], host["compute_bytes"])

    def close(self) -> None:
        """End the process; it may be asked again and is then started anew."""
        if self._child is not None:
            for stream in (self._child.stdin, self._child.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()
            self._child.kill()
            self._child.wait()
            self._child = None

    def _ask(self, path: Path, shape: Shape) -> dict[str, Any] | None:
        if not self._is_usable:
            return None
        self.asked += 1
        order = {
            "path": str(path),
            "gpu_layers": 0,
            "tensor_split": [],
            "context_tokens": shape.context_tokens,
            "slots": shape.slots,
            "batch_tokens": shape.batch_tokens,
            "kv_type": shape.kv_type,
            "embeds": shape.embeds,
            "threads": 1,
        }
        answer = self._exchange(json.dumps(order))
        if answer is None:
            has_aborted = self._child is not None and self._child.poll() is not None
            self.close()  # the next question gets a new one
            return {} if has_aborted else None  # one that hangs may only have been busy
        if "unusable" in answer:
            self._is_usable = False
            self.close()
            return None
        return answer

    def _exchange(self, line: str) -> dict[str, Any] | None:
        child = self._child = self._child or _start()
        assert child.stdin is not None
        assert child.stdout is not None
        is_ready = True
        try:
            child.stdin.write(line + "\n")
            child.stdin.flush()
            is_ready = bool(select.select([child.stdout], [], [], _PATIENCE_S)[0])
            told = child.stdout.readline() if is_ready else ""
            answer = json.loads(told) if told else None
        except (BrokenPipeError, ValueError):
            answer = None
        if answer is None and is_ready:
            with suppress(subprocess.TimeoutExpired):
                child.wait(_END_S)  # its output ends a moment before it does
        return dict(answer) if answer is not None else None


def _start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "lumbre.workers.dry_run"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=inherited(QUIET_LLAMA),
        start_new_session=True,
    )
