"""What a header is said to keep of a talk is what the engine itself allocates for it."""

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from lumbre.core.errors import BadWeights
from lumbre.core.model import Facts
from lumbre.formats.gguf import read_facts
from lumbre.formats.gguf_architectures import ARCHITECTURES
from lumbre.planner.caches import cache_bytes
from tests.formats.architectures import LAYERS, UNTRIED, header_of
from tests.formats.writing import As, Written

xllamacpp = pytest.importorskip("xllamacpp", reason="the engine's wheel is not installed")

ROOT = Path(__file__).parents[2]
REFUSED = {"gptj", "clip", "(unknown)"}
"""Names the engine has and does not run by themselves."""
MORE_THAN_IT_TAKES = {"deepseek4", "graniteswitch"}
"""Where we do not follow the engine to the byte, and say more."""
ASKED: list[dict[str, Any]] = [
    {"context_tokens": 500, "slots": 1, "batch_tokens": 64, "kv_type": "f16"},
    {"context_tokens": 2048, "slots": 3, "batch_tokens": 300, "kv_type": "q8_0"},
]
ALWAYS_F16 = {"grok"}
"""It has no flash attention, and without it the engine keeps no rounded values."""
Case: TypeAlias = tuple[str, Mapping[str, Written | None]]
NEAR_LIST = As("bool", [layer in (1, 2, 5) for layer in range(LAYERS)])
VARIANTS: dict[str, Case] = {
    "a window in a list": ("gemma3", {"attention__sliding_window_pattern": NEAR_LIST}),
    "a window each third": ("gpt-oss", {"attention__sliding_window_pattern": 3}),
    "the first sees all": ("cohere2moe", {"attention__sliding_window_pattern": 3}),
    "no window": ("gemma3", {"attention__sliding_window": None}),
    "a window nobody names": ("gemma2", {"attention__sliding_window": None}),
    "a window the engine knows better": ("llama4", {"attention__sliding_window": 64}),
    "a window it knows only if there is one": ("smallthinker", {"attention__sliding_window": None}),
    "windows in large ones only": ("exaone4", {"block_count": 64}),
    "a window that phi3 does not use": ("phi3", {"attention__sliding_window": 64}),
    "a short list of windows": ("olmo2", {"attention__sliding_window_pattern": As("bool", [True])}),
    "heads by layer": ("openelm", {"attention__head_count_kv": As("uint32", [1, 2] * 6)}),
    "other heads near by": ("mimo2", {"attention__head_count_kv": As("uint32", [1, 2] * 6)}),
    "one head for all": ("qwen3moe", {"attention__head_count_kv": 1}),
    "long heads": ("qwen3", {"attention__key_length": 192, "attention__value_length": 192}),
    "heads with short values": (
        "step35", {"attention__key_length": 192, "attention__value_length": 128}
    ),
    "latent in an old file": (
        "deepseek2",
        {"attention__key_length_mla": None, "attention__value_length_mla": None,
         "attention__key_length": 192, "attention__value_length": 128},
    ),
    "recurrent layers in a list": ("qwen3next", {"attention__recurrent_layers": NEAR_LIST}),
    "recurrent but for each fourth": ("qwen3next", {"full_attention_interval": None}),
    "recurrent but for each eighth": ("minimax-01", {"full_attention_interval": None}),
    "no layer of its own beyond the middle": ("gemma4", {"attention__shared_kv_layers": 6}),
    "layers that guess ahead": ("glm4moe", {"nextn_predict_layers": 2}),
    "recurrent ones that guess ahead": ("qwen35", {"nextn_predict_layers": 2}),
    "a large state": ("mamba2", {"ssm__group_count": 4, "ssm__conv_kernel": 8}),
    "an index in each third layer": (
        "glm-dsa", {"attention__indexer__types": As("uint32", [1, 0, 0] * 4)}
    ),
    "no index without a list of layers that have one": (
        "hy_v4", {"attention__indexer__types": As("uint32", [1] + [0] * (LAYERS - 1))}
    ),
    "words remembered beside": ("qwen4exp", {"ple__conv_kernel": 8}),
    "an index whatever the list says": (
        "deepseek32", {"attention__indexer__types": As("uint32", [1, 0, 0] * 4)}
    ),
}  # fmt: skip


class Engine:
    """The program beside this file; a header it dies of costs one process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def write(self, case: Case) -> Path:
        architecture, changes = case
        path = self._folder / f"{architecture}-{len(list(self._folder.iterdir()))}.gguf"
        path.write_bytes(header_of(architecture, **changes))
        return path

    def ask(self, path: Path, **order: object) -> dict[str, Any]:
        asked = ASKED[:1] if path.name.split("-")[0] in ALWAYS_F16 else ASKED
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.formats.engine_caches"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True, cwd=ROOT, env=os.environ | {"GGML_NO_BACKTRACE": "1"},
            )  # fmt: skip
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(
            json.dumps({"path": str(path), "asked": asked, "ahead": True} | order) + "\n"
        )
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self.close()
            return {"error": "the engine died of it"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        if self._process:
            assert self._process.stdin and self._process.stdout
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("headers"))
    yield engine
    engine.close()


def said(facts: Facts) -> list[int]:
    return [cache_bytes(facts.caches, **asked) for asked in ASKED]


def compare(engine: Engine, case: Case, *, at_least: bool = False) -> None:
    path = engine.write(case)
    answer = engine.ask(path)
    found = answer.get("bytes")
    assert found, answer
    facts = read_facts(path)
    assert len(facts.caches) == facts.layers
    for ours, theirs in zip(said(facts), found, strict=False):
        assert ours >= theirs if at_least else ours == theirs


@pytest.mark.parametrize("architecture", sorted(set(ARCHITECTURES) - set(UNTRIED)))
def test_each_architecture_keeps_what_the_engine_allocates(
    engine: Engine, architecture: str
) -> None:
    compare(engine, (architecture, {}), at_least=architecture in MORE_THAN_IT_TAKES)


@pytest.mark.parametrize("name", VARIANTS)
def test_each_variant_keeps_what_the_engine_allocates(engine: Engine, name: str) -> None:
    compare(engine, VARIANTS[name])


def test_our_list_is_the_engines_and_none_is_left_out() -> None:
    library = ctypes.CDLL(str(next(Path(xllamacpp.__file__).parent.glob("xllamacpp*.so"))))
    name_of = library._Z13llm_arch_name8llm_arch
    name_of.restype = ctypes.c_char_p
    names: list[str] = []
    while not names or names[-1] != "(unknown)":
        names.append(name_of(len(names)).decode())
        assert len(names) < 1000
    assert set(names) - REFUSED == set(ARCHITECTURES)


@pytest.mark.parametrize("architecture", ["zorro", "gptj", "clip"])
def test_what_the_engine_refuses_we_refuse_by_name(engine: Engine, architecture: str) -> None:
    path = engine.write((architecture, {}))
    assert "error" in engine.ask(path)
    with pytest.raises(BadWeights, match=architecture):
        read_facts(path)


def test_an_untried_architecture_is_said_to_keep_everything() -> None:
    """But for an encoder, and a recurrent one like its brothers."""
    plain = ARCHITECTURES["llama"]
    assert {name for name in UNTRIED if ARCHITECTURES[name] != plain} == {
        "jina-bert-v2", "rwkv6qwen2",
    }  # fmt: skip


def test_experts_are_counted(engine: Engine) -> None:
    facts = read_facts(engine.write(("qwen3moe", {"expert_count": 128, "expert_used_count": 8})))
    assert (facts.experts, facts.experts_used) == (128, 8)
    facts = read_facts(engine.write(("qwen3", {})))
    assert (facts.experts, facts.experts_used) == (0, 0)


@pytest.mark.parametrize(
    "architecture", ["gemma3", "gpt-oss", "deepseek2", "mamba", "lfm2", "qwen3moe", "qwen3next"]
)
def test_the_dry_run_of_a_whole_file_says_the_same(
    engine: Engine, tmp_path: Path, architecture: str
) -> None:
    path = tmp_path / "whole.gguf"
    answer = engine.ask(engine.write((architecture, {})), save=str(path))
    assert answer.get("bytes"), answer
    orders = [
        asked
        | {"path": str(path), "gpu_layers": 0, "tensor_split": [], "threads": 1, "embeds": False}
        for asked in ASKED
    ]
    run = subprocess.run(
        [sys.executable, "-m", "lumbre.workers.dry_run"],
        input="".join(json.dumps(order) + "\n" for order in orders),
        capture_output=True, text=True, check=True, cwd=ROOT, timeout=60,
    )  # fmt: skip
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    found = [sum(device["kv_bytes"] for device in each["devices"]) for each in answers]
    assert found == said(read_facts(path))
