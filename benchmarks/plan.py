"""How long `lumbre plan` takes for ten models, the whole command, once it has been asked before."""

import os
import statistics
import subprocess
import sys
import tempfile
import time

from recording import about, figure, keep

TEN = (
    "llama-3.1-8b-q4_k_m", "qwen2.5-14b-q4_k_m", "qwen2.5-32b-q4_k_m", "gpt-oss-20b-mxfp4",
    "phi-3.5-mini-q4_k_m", "bge-m3", "gte-small", "faster-whisper-small", "silero-vad",
    "piper-ru-irina",
)  # fmt: skip
MACHINES = ("", "cpu-16gb", "i5-11600k-rtx4070", "9950x3d-5070ti-2060", "7950x-5090")
ROUNDS = 5
MOST_S = 2.0


def plan_s(home: str, machine: str) -> float:
    """Of the whole process; on this machine when none is named."""
    named = ["--machine", machine] if machine else []
    command = [sys.executable, "-m", "lumbre", "plan", "--models", ",".join(TEN), *named]
    begun = time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, env=os.environ | {"LUMBRE_HOME": home}, check=False
    )
    assert done.returncode in (0, 3), done.stderr
    return time.perf_counter() - begun


def main() -> int:
    facts = about()
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as home:
        for machine in MACHINES:
            first_s = plan_s(home, machine)
            warm = [plan_s(home, machine) for _ in range(ROUNDS)]
            seconds[machine or "this machine"] = [round(first_s, 3), *(round(s, 3) for s in warm)]
    medians = {name: statistics.median(warm) for name, (_, *warm) in seconds.items()}
    slowest = max(medians.values())
    figures = [figure("lumbre plan, ten models, warm, slowest machine", slowest, MOST_S, "s")]
    keep("plan", facts, {"figures": figures, "medians_s": medians, "first_then_warm_s": seconds})
    return 0 if slowest <= MOST_S else 1


if __name__ == "__main__":
    sys.exit(main())
