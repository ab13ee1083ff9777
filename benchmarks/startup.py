"""What a warm household costs a command: help, attaching, the first token, and idle memory.

The first token is measured against the same worker called directly with the same prompt,
in turns, so that what else the machine does weighs on both sides.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

import psutil

from lumbre.backends.llama_cpp import backend
from lumbre.config import Folders
from lumbre.core.backend import Chats, WorkerSettings
from lumbre.core.generation import ChatRequest
from lumbre.hardware.usage import pss_bytes
from lumbre.pool.worker import Worker, new_key
from lumbre.prompting.prompt import Prompt
from lumbre.prompting.template import template
from lumbre.registry.household import shipped
from lumbre.server.socket import read_note
from recording import about, figure, keep

PAIRS = 15
MODEL = "smollm2-135m-instruct-q4_1"

ASK = """
import time
begun = time.perf_counter()
import os, sys
from lumbre.cli.answer import ask
from lumbre.cli.session import Flags, Session
session = Session(os.environ, Flags())
with session.household() as client:
    for event in ask(session, client, sys.argv[1], conversation="new"):
        if event["event"] == "text":
            print(time.perf_counter() - begun)
            break
"""


def question(number: int) -> str:
    """A new one each time: what an engine has read it need not read again."""
    return f"Please name {number} colours."


def help_s() -> float:
    """Of `lumbre --help`, the whole process."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "lumbre", "--help"], capture_output=True, check=True)
    return time.perf_counter() - begun


def attached_s(number: int) -> float:
    """From the end of the interpreter's start to the first text, our imports included."""
    line = [sys.executable, "-c", ASK, question(number)]
    return float(subprocess.run(line, capture_output=True, text=True, check=True).stdout)


async def direct_s(engine: Chats, number: int) -> float:
    """The same prompt, straight to a worker."""
    prompt = Prompt(template=template("conversation"), language="en", question=question(number))
    request = ChatRequest(prompt.messages(), max_output_tokens=150, temperature=0.0)
    begun = time.perf_counter()
    async with aclosing(engine.chat(request)) as deltas:
        async for delta in deltas:
            if delta.text:
                break
    return time.perf_counter() - begun


async def pairs(home: Path) -> tuple[list[float], list[float]]:
    manifest = next(model for model in shipped("starter") if model.id == MODEL)
    files = {"weights": Folders.of(os.environ).weights / str(manifest.path)}
    settings = WorkerSettings(context_tokens=4096, prompt_threads=os.cpu_count() or 1)
    launch = backend.launch(manifest, files, settings, new_key())
    worker = await Worker.start(launch, manifest.id, home / "direct.log")
    engine = backend.connect(manifest, worker.url, worker.key)
    await engine.ready()
    assert isinstance(engine, Chats)
    await asyncio.to_thread(attached_s, 1)
    await direct_s(engine, 1)
    through, direct = [], []
    for number in range(2, PAIRS + 2):
        direct.append(await direct_s(engine, number))
        through.append(await asyncio.to_thread(attached_s, number))
    await engine.close()
    await worker.stop()
    return through, direct


def household_bytes(home: Path) -> tuple[int, int]:
    """Of the household after its work with every model unloaded, and freshly started."""
    note = read_note(Folders.of(os.environ))
    assert note is not None
    workers = psutil.Process(note.pid).children(recursive=True)
    for worker in workers:
        worker.kill()
    psutil.wait_procs(workers)
    used = pss_bytes(note.pid)
    subprocess.run([sys.executable, "-m", "lumbre", "stop"], check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "lumbre", "docs", "list"], check=True)
    note = read_note(Folders.of(os.environ))
    assert note is not None
    return used, pss_bytes(note.pid)


def main() -> None:
    facts = about()
    helps = [help_s() for _ in range(11)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LUMBRE_MODELS"] = str(Folders.of(os.environ).weights)
        os.environ["LUMBRE_HOME"] = folder
        os.environ["LUMBRE_LLM__PRIMARY__ID"] = MODEL
        try:
            through, direct = asyncio.run(pairs(Path(folder)))
            used, fresh = household_bytes(Path(folder))
        finally:
            subprocess.run([sys.executable, "-m", "lumbre", "stop"], check=False)
    over = [a - b for a, b in zip(through, direct, strict=True)]
    result = {
        "figures": [
            figure("lumbre --help", statistics.median(helps), 0.3, "s"),
            figure(
                "attach and first token, over the worker called directly",
                statistics.median(over),
                0.150,
                "s",
            ),
            figure("household, every model unloaded, after work", used / 1e6, 120, "MB"),
            figure("household, freshly started", fresh / 1e6, 120, "MB"),
        ],
        "help_s": [round(value, 4) for value in helps],
        "through_household_s": [round(value, 4) for value in through],
        "direct_s": [round(value, 4) for value in direct],
    }
    keep("startup", facts, result)


if __name__ == "__main__":
    main()
