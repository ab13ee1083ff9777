"""No header takes more memory or time than a small allowance, whatever numbers stand in it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.formats.architectures import header_of
from tests.formats.test_gguf_hostile import LIES as GGUF_LIES
from tests.formats.test_safetensors import LIES as SAFETENSORS_LIES
from tests.formats.writing import As

ROOT = Path(__file__).parents[2]
MOST_MIB = 256
"""Of address space beyond what the interpreter has once our modules are imported."""
MOST_S = 30
PROGRAM = f"""
import json, resource, sys
from pathlib import Path
from lumbre.core.errors import BadWeights
from lumbre.formats import gguf, safetensors_facts

pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
limit = pages + {MOST_MIB} * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
resource.setrlimit(resource.RLIMIT_CPU, ({MOST_S}, {MOST_S}))
for name in json.loads(sys.stdin.read()):
    parse = gguf.read_facts if name.endswith(".gguf") else safetensors_facts.read_facts
    try:
        parse(Path(name))
        print("facts")
    except BadWeights:
        print("bad")
"""
HUGE = (2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)
KEYS = (
    "block_count", "embedding_length", "attention__head_count", "attention__head_count_kv",
    "attention__key_length", "attention__sliding_window", "attention__sliding_window_pattern",
    "nextn_predict_layers", "ssm__inner_size", "ssm__conv_kernel", "full_attention_interval",
    "expert_count", "vocab_size", "context_length", "attention__shared_kv_layers",
)  # fmt: skip


def answers(paths: list[Path]) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([str(path) for path in paths]),
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=4 * MOST_S,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


def test_no_lie_takes_memory_or_time(tmp_path: Path) -> None:
    paths: list[Path] = []
    for ending, lies in ((".gguf", GGUF_LIES), (".safetensors", SAFETENSORS_LIES)):
        for data, _ in lies.values():
            paths.append(tmp_path / f"{len(paths)}{ending}")
            paths[-1].write_bytes(data)
    assert answers(paths) == ["bad"] * len(paths)


def test_no_number_of_a_key_takes_memory_or_time(tmp_path: Path) -> None:
    paths: list[Path] = []
    for architecture in ("gemma4", "qwen3next", "mamba2"):
        for key in KEYS:
            for number in HUGE:
                path = tmp_path / f"{len(paths)}.gguf"
                value = As("uint32" if number < 2**32 else "uint64", number)
                path.write_bytes(header_of(architecture, **{key: value}))
                paths.append(path)
    assert set(answers(paths)) <= {"facts", "bad"}


def test_a_sparse_file_of_a_terabyte_is_answered_as_fast(tmp_path: Path) -> None:
    paths: list[Path] = []
    for name, head in (
        ("a.gguf", header_of("llama")),
        ("b.safetensors", b"\x00\xe1\xf5\x05" + b"\0" * 4),
    ):
        paths.append(tmp_path / name)
        with paths[-1].open("wb") as file:
            file.write(head)
            file.truncate(1 << 40)
    assert answers(paths) == ["facts", "bad"]
