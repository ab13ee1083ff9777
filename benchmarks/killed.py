"""How long do the processes of a household outlive it when it is killed with kill -9?

A real household with workers of each kind: a model that is idle, one that was stopped (SIGSTOP),
one that is just loading, the embedding model, one that reads a document. Each end is told by the
kernel, not by looking now and then.
"""

import argparse
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from homes import Model, manifest_of

from lumbre.config.load import load
from lumbre.hardware.usage import family
from lumbre.registry.household import shipped
from lumbre.registry.manifest import save_manifest
from lumbre.server.socket import read_note
from recording import about, figure, keep

SMALL = "SmolLM2-135M-Instruct.Q4_1.gguf"
LARGE = "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
MOST_S = 2.0
PATIENCE_S = 10.0
LINES = 300_000
"""Of a text that takes longer to read than everything else takes."""


def once(weights: Path, dice: random.Random) -> dict[str, float]:
    """Seconds from the kill to the end of each, the longest of each kind."""
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"LUMBRE_HOME": home, "LUMBRE_MODELS": str(weights)}
        folders = load({"LUMBRE_HOME": home}).folders
        folders.make()
        models = [
            Model("idle", weights / SMALL, 2048, "primary"),
            Model("stopped", weights / SMALL),
            Model("starting", weights / LARGE),
        ]
        manifests = [manifest_of(model) for model in models]
        manifests += [one for one in shipped("starter") if one.role == "embedding"]
        for manifest in manifests:
            save_manifest(manifest, folders.registry / f"{manifest.id}.yaml")

        def lumbre(*words: str) -> "subprocess.Popen[bytes]":
            line = [sys.executable, "-m", "lumbre", *words]
            return subprocess.Popen(
                line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )

        text = Path(home) / "long.txt"
        text.write_text("".join(f"Line {n}: the boat has {n % 97} sails.\n" for n in range(LINES)))
        try:
            for model in ("idle", "stopped", "embedding"):
                if lumbre("load", model).wait():
                    raise RuntimeError(f"lumbre load {model} failed")
            note = read_note(folders)
            assert note is not None
            working = [lumbre("docs", "add", str(text)), lumbre("load", "starting")]
            named = {folders.logs / f"{name}.log": name for name in ("idle", "stopped", "starting")}
            while not {"parse", "starting"} <= set(kinds(note.pid, named).values()):
                time.sleep(0.001)
            time.sleep(dice.random() / 2)  # at another moment of the load each time
            seen = kinds(note.pid, named)
            os.kill(next(pid for pid, kind in seen.items() if kind == "stopped"), signal.SIGSTOP)
            seconds = ends(note.pid, seen)
            for process in working:
                process.wait()
        finally:
            lumbre("stop").wait()
        return seconds


def kinds(household: int, named: Mapping[Path, str]) -> dict[int, str]:
    """What each process below the household is, by its log, else by its program."""
    logs = {log.stat().st_ino: name for log, name in named.items() if log.exists()}
    found = {}
    for pid in family(household)[1:]:
        try:
            log = Path(f"/proc/{pid}/fd/2").stat().st_ino
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        except OSError:
            continue
        module = next((word for word in words if word.startswith("lumbre.workers.")), "unnamed")
        found[pid] = logs.get(log, module.removeprefix("lumbre.workers."))
    return found


def ends(household: int, kinds: Mapping[int, str]) -> dict[str, float]:
    """Of all there are, those of no name included; the longest of each kind."""
    handles = {os.pidfd_open(pid): pid for pid in family(household)[1:]}
    os.kill(household, signal.SIGKILL)
    begun = time.perf_counter()
    seconds: dict[str, float] = {}
    while handles and (rest_s := begun + PATIENCE_S - time.perf_counter()) > 0:
        for handle in select.select(list(handles), [], [], rest_s)[0]:
            kind = kinds.get(handles.pop(handle), "unnamed")
            os.close(handle)
            seconds[kind] = max(seconds.get(kind, 0.0), time.perf_counter() - begun)
    for handle, pid in handles.items():
        os.close(handle)
        seconds[kinds.get(pid, "unnamed")] = PATIENCE_S
        psutil.Process(pid).kill()
    return seconds


def told(seen: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    kinds = sorted({name for run in seen for name in run})
    return {
        "most_s_by_kind": {
            name: round(max(run.get(name, 0.0) for run in seen), 4) for name in kinds
        },
        "runs": [{name: round(took_s, 4) for name, took_s in run.items()} for run in seen],
    }


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--runs", type=int, default=10)
    chosen = ask.parse_args()
    weights = load(os.environ).folders.weights
    facts = about()
    dice = random.Random(5)
    seen = [once(weights, dice) for _ in range(chosen.runs)]
    most_s = max(took_s for run in seen for took_s in run.values())
    row = figure("kill -9 of the household, until the last child is gone", most_s, MOST_S, "s")
    result = told(seen)
    print(result["most_s_by_kind"])
    keep("killed", facts, {"figures": [row], **result})
    return 0 if row["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
