"""kill -9 of the household leaves nobody: whatever a child is doing, it is gone in 2 s."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from lumbre import backends
from lumbre.core.backend import Launch, WorkerSettings
from lumbre.core.model import Manifest
from lumbre.hardware.usage import family, pulse
from lumbre.pool.worker import new_key

GONE_S = 2.0

PARENT = """
import asyncio, json, sys
from pathlib import Path
import psutil
from lumbre.core.backend import Launch
from lumbre.knowledge.reading import Reader
from lumbre.pool.worker import Worker

def has_begun(child):
    return any("xllamacpp" in mapped.path for mapped in child.memory_maps())

async def main():
    orders = json.loads(sys.stdin.readline())
    logs, text = Path(orders["folder"]), Path(orders["text"])
    pids = {}
    for name, (module, settings, environment) in orders["workers"].items():
        launch = Launch(module, settings, environment)
        pids[name] = (await Worker.start(launch, name, logs / f"{name}.log")).pid
    readers = []
    for name in ("parse", "parse-stopped"):
        reader = Reader()
        await reader.read(text)
        readers.append(reader)
        pids[name] = reader._child.pid
    before = set(psutil.Process().children())
    launch = Launch(*orders["starting"])
    starting = asyncio.create_task(Worker.start(launch, "starting", logs / "starting.log"))
    while not (new := set(psutil.Process().children()) - before):
        await asyncio.sleep(0)
    (child,) = new
    while not has_begun(child):
        await asyncio.sleep(0.01)
    pids["starting"] = child.pid
    print(json.dumps(pids), flush=True)
    await starting

asyncio.run(main())
"""


def order(launch: Launch) -> tuple[str, dict[str, object], dict[str, str]]:
    return launch.module, dict(launch.settings), dict(launch.environment)


@pytest.mark.skipif(sys.platform != "linux", reason="pidfd and the death signal are Linux's")
def test_every_kind_of_child_is_gone_working_idle_stopped_or_still_starting(
    chatter: Manifest, use: Manifest, smollm2: Path, use_weights: Path, tmp_path: Path
) -> None:
    def launch(manifest: Manifest, weights: Path, engine: str, program: str = "") -> Launch:
        wish = WorkerSettings(context_tokens=256, engine_path=program)
        return backends.find(engine).launch(manifest, {"weights": weights}, wish, new_key())

    workers = {
        "llama": launch(chatter, smollm2, "llama_cpp"),
        "llama-stopped": launch(chatter, smollm2, "llama_cpp"),
        "encoder": launch(use, use_weights, "encoder"),
        "encoder-stopped": launch(use, use_weights, "encoder"),
    }
    if program := os.environ.get("LUMBRE_TEST_LLAMA_SERVER"):
        workers["server"] = launch(chatter, smollm2, "llama_server", program)
        workers["server-stopped"] = launch(chatter, smollm2, "llama_server", program)
    else:
        print("LUMBRE_TEST_LLAMA_SERVER is not set: held without llama_server")
    never = tmp_path / "never.gguf"
    os.mkfifo(never)  # nobody writes into it: who opens it waits
    text = tmp_path / "boat.txt"
    text.write_text("The boat is called Aurora.")
    orders = {
        "folder": str(tmp_path),
        "text": str(text),
        "workers": {name: order(one) for name, one in workers.items()},
        "starting": order(launch(chatter, never, "llama_cpp")),
    }
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        parent.stdin.write(json.dumps(orders) + "\n")
        parent.stdin.flush()
        pids: dict[str, int] = json.loads(parent.stdout.readline())
        assert set(pids) == {*workers, "parse", "parse-stopped", "starting"}
        everyone = [pid for worker in pids.values() for pid in family(worker)]
        for name, worker in pids.items():
            if name.endswith("-stopped"):
                for pid in family(worker):
                    stop(pid)
        ends = ended(everyone)
        parent.kill()
        left = ends()
    assert not left, [name for name, worker in pids.items() if worker in left]


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    while pulse(pid).state != "T":
        pass


def ended(pids: list[int]) -> Callable[[], list[int]]:
    """Those of them that have not ended soon after they should."""
    handles = {os.pidfd_open(pid): pid for pid in pids}

    def left() -> list[int]:
        end_s = time.monotonic() + GONE_S
        while handles and (rest_s := end_s - time.monotonic()) > 0:
            for handle in select.select(list(handles), [], [], rest_s)[0]:
                del handles[handle]
                os.close(handle)
        for handle, pid in handles.items():
            os.close(handle)
            psutil.Process(pid).kill()
        return list(handles.values())

    return left
