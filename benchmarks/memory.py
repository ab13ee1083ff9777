"""Plans beside what workers were measured to hold: uncalibrated, calibrated, and what others say.

Rows come from `benchmarks/memory_cells.py`, which goes on where it stopped; those of long contexts
take an hour and more (`--contexts 8192`). A plan is asked twice: as a machine that has never
run the model would, and after one cell of the same load mode and buffers was measured
(context 512, one slot), first only loaded, then with a full context. Beside them stand the
engine's own forecast as its tool asks for it, and the file's size plus its cache, which is
what people add up by hand.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from memory_cells import complete, read_rows

from lumbre.config import Folders
from lumbre.core.machine import CPU, Device, Host
from lumbre.core.plan import Choice
from lumbre.engines.find import built_in
from lumbre.formats.gguf import read_facts
from lumbre.planner.estimate import Estimator, Here
from lumbre.planner.footprint import formula
from lumbre.planner.oracle import Oracle
from lumbre.planner.records import Records
from lumbre.planner.wish import Wish
from lumbre.store import Store
from recording import about, keep

MIB = 2**20
Phase = Literal["never", "ready", "full"]
_HOST = Host(
    name="measured",
    devices=(Device(id=CPU, kind="cpu", name="", total_bytes=2**40, free_bytes=2**40),),
    cores=1,
    architecture="x86_64",
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One row: what was run, and its bytes once loaded and once full."""

    name: str
    weights: str
    choice: Choice
    held: Mapping[str, Mapping[str, int]]

    @property
    def measured_bytes(self) -> int:
        return self.held["full"]["pss_bytes"]


def cell_of(row: Mapping[str, Any]) -> Cell:
    weights, load_mode, extra, context, kv_type, slots, _ = row["cell"].split("/")
    choice = Choice(
        context_tokens=int(context),
        slots=int(slots),
        kv_type=kv_type,
        load_mode=load_mode,
        extra_buffers=extra == "extra",
    )
    return Cell(row["cell"], weights, choice, row)


def planned(cells: Iterable[Cell], folder: Path, phase: Phase, dry_runs: Records) -> dict[str, int]:
    """What a plan says of each cell; by cell."""
    cells = list(cells)
    names = {cell.weights for cell in cells}
    facts = {name: read_facts(folder / name) for name in names}
    here = {name: Here(folder / name, name, built_in().build) for name in names}
    wishes = {name: Wish(id=name, role="secondary", facts=facts[name]) for name in names}
    with tempfile.TemporaryDirectory() as fresh, Oracle(dry_runs, built_in().build) as oracle:
        store = Store(Path(fresh) / "lumbre.db")
        estimate = Estimator(Records(store), oracle, here)
        for cell in cells:
            c = cell.choice
            first = (c.context_tokens, c.slots, c.kv_type) == (512, 1, "f16")
            if phase == "never" or not first:
                continue
            mapped_bytes = facts[cell.weights].file_bytes if c.load_mode == "mmap" else 0
            beside_bytes = cell.held[phase]["pss_bytes"] - mapped_bytes
            estimate.learn(
                wishes[cell.weights],
                c,
                _HOST,
                {CPU: beside_bytes},
                is_full=phase == "full",
            )
        said = {
            cell.name: sum(
                placement.footprint.total_bytes
                for placement in estimate(wishes[cell.weights], cell.choice, _HOST)[0]
            )
            for cell in cells
        }
        store.close()
    return said


def others(cells: Iterable[Cell], folder: Path) -> dict[str, dict[str, int]]:
    """What the header's formula, llama.cpp's fit tool and a sum by hand say of each cell.

    The tool (llama-fit-params, `common_fit_print`) leaves the outputs of a server and its
    repacked tensors as a load by default has them; the sum is the file and its cache.
    """
    cells = list(cells)
    facts = {name: read_facts(folder / name) for name in {cell.weights for cell in cells}}
    said: dict[str, dict[str, int]] = {"formula": {}, "fit_tool": {}, "by_hand": {}}
    orders = []
    for cell in cells:
        wish = Wish(id=cell.weights, role="secondary", facts=facts[cell.weights])
        (computed,) = formula(wish, cell.choice, _HOST)
        said["formula"][cell.name] = computed.footprint.total_bytes
        kv_bytes = computed.footprint.kv_bytes
        said["by_hand"][cell.name] = facts[cell.weights].file_bytes + kv_bytes
        orders.append(_as_the_tool_asks(folder / cell.weights, cell.choice))
    asked = subprocess.run(
        [sys.executable, "-m", "lumbre.workers.dry_run"],
        input="\n".join(orders) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    for cell, line in zip(cells, asked.stdout.splitlines(), strict=True):
        host = json.loads(line)["devices"][-1]
        said["fit_tool"][cell.name] = sum(host.values())
    return said


def _as_the_tool_asks(path: Path, choice: Choice) -> str:
    order = {
        "path": str(path), "gpu_layers": 0, "tensor_split": [], "threads": 1, "embeds": False,
        "context_tokens": choice.context_tokens, "slots": choice.slots, "batch_tokens": 64,
        "kv_type": choice.kv_type, "extra_buffers": choice.extra_buffers, "outputs": 0,
    }  # fmt: skip
    return json.dumps(order)


def errors(
    cells: Iterable[Cell], said: Mapping[str, int], only: Callable[[Cell], bool] = lambda _: True
) -> dict[str, object]:
    """How far a forecast is from what was measured, and on which side."""
    shares, sizes = [], []
    for cell in cells:
        if only(cell) and cell.name in said:
            sizes.append((said[cell.name] - cell.measured_bytes) / MIB)
            shares.append(sizes[-1] * MIB / cell.measured_bytes)
    return {
        "cells": len(shares),
        "under": sum(size < 0 for size in sizes),
        "mean_share": round(statistics.mean(map(abs, shares)), 4),
        "least_share": round(min(shares), 4),
        "largest_share": round(max(shares), 4),
        "least_mib": round(min(sizes), 1),
        "largest_mib": round(max(sizes), 1),
    }


def main() -> None:
    folders = Folders.of(os.environ)
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--rows", type=Path, default=folders.home / "memory-cells.jsonl")
    ask.add_argument("--weights", type=Path, default=folders.weights)
    ask.add_argument("--contexts", type=int, nargs="*", default=(512, 2048))
    chosen = ask.parse_args()
    if chosen.contexts:
        complete(sorted(chosen.weights.glob("*.gguf")), chosen.rows, tuple(chosen.contexts))
    cells = [cell_of(row) for row in read_rows(chosen.rows).values()]
    with tempfile.TemporaryDirectory() as fresh:
        store = Store(Path(fresh) / "lumbre.db")
        dry_runs = Records(store)
        told: dict[str, Mapping[str, int]] = {
            "uncalibrated": planned(cells, chosen.weights, "never", dry_runs),
            "calibrated_by_a_load": planned(cells, chosen.weights, "ready", dry_runs),
            "calibrated_by_a_full_context": planned(cells, chosen.weights, "full", dry_runs),
            **others(cells, chosen.weights),
        }
        store.close()
    models = sorted({cell.weights for cell in cells})
    result: dict[str, object] = {"engine": built_in().build, "figures": {}}
    figures: dict[str, object] = {}
    for name, said in told.items():
        figures[name] = {"all": errors(cells, said)} | {
            model: errors(cells, said, lambda cell, model=model: cell.weights == model)  # type: ignore[misc]
            for model in models
        }
        print(name, json.dumps(figures[name]["all"]))  # type: ignore[index]
    result["figures"] = figures
    result["cells"] = [
        {
            "cell": cell.name,
            "measured_bytes": cell.measured_bytes,
            "loaded_bytes": cell.held["ready"]["pss_bytes"],
            **{name: said.get(cell.name) for name, said in told.items()},
        }
        for cell in cells
    ]
    print(keep("memory", about(), result))


if __name__ == "__main__":
    main()
