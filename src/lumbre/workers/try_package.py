"""Say what an unpacked engine package is, if it can be loaded and takes a worker's orders.

`python -m lumbre.workers.try_package FOLDER`: one line of JSON, its version and the cards
it sees; anything else means that it cannot be used.
"""

import json
import sys
from pathlib import Path
from typing import Any

from lumbre.workers.libraries import load_beside

ORDERS: dict[str, Any] = {
    "path": "m.gguf", "projector": "p.gguf", "key": "k", "adapters": [], "embedding": True,
    "context_tokens": 256, "slots": 2, "batch_tokens": 64, "prompt_threads": 1,
    "generation_threads": 1, "cache_ram_mib": 0, "checkpoints": 0, "load_mode": "read",
    "extra_buffers": False,
    "kv_type": "q8_0", "devices": ["gpu0"], "gpu_layers": 1, "tensor_split": [1],
    "expert_layers_on_cpu": 1, "states_folder": "states", "warm_up": False,
}  # fmt: skip


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(folder))
    load_beside(folder)
    import xllamacpp

    from lumbre.workers.llama import parameters

    if not Path(str(xllamacpp.__file__)).resolve().is_relative_to(folder):
        raise SystemExit(f"{xllamacpp.__file__} was loaded instead")
    parameters(ORDERS)
    cards = [card["name"] for card in xllamacpp.get_device_info() if "GPU" in card["type"].name]
    told = json.dumps({"version": xllamacpp.__version__, "cards": cards})
    sys.stdout.write(f"{told}\n")


if __name__ == "__main__":
    main()
