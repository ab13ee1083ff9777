"""Which architectures the engine runs, and what kind of memory each one's layers keep.

A new architecture is one line. What is not known for sure stands here as plain attention,
which takes the most.

Source: llama.cpp b11549 (xllamacpp 2026.10.11549): the names are LLM_ARCH_NAMES of
src/llama-arch.cpp; the kinds are `load_arch_hparams` in src/models/*.cpp and
`llama_model::create_memory` of src/llama-model.cpp. tests/formats/test_gguf_caches.py asks the
engine for each of them.
"""

from dataclasses import dataclass
from typing import Literal

State = Literal["mamba", "mamba2", "rwkv", "shortconv", "kda", "lightning"]
Recurrent = Literal["every", "beside", "without_heads", "without_heads_or_ff", "interval"]
"""Which layers are recurrent. beside: each is both. without_heads: those with no head to keep
keys for; _or_ff: and no feed-forward either. interval: all but each n-th."""
Index = Literal["keys", "listed_keys", "pairs", "pairs_behind_dense", "triples", "compressed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Which layers look back only so far, where the file does not list them."""

    period: int | None
    """Of so many layers the last sees everything. None: only a list in the file tells;
    0: all of them look back only so far, whatever the file lists."""
    first: bool = False
    """The first of a period sees everything, not the last."""
    tokens: int = 0
    """The window of a file that names none."""
    always_tokens: int = 0
    """The window instead of the one the file names."""
    layers: int = 0
    """Only in a model of so many layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What the layers of one architecture keep of a talk."""

    keeps: bool = True
    """False: it reads a text all at once and keeps nothing."""
    near: Near | None = None
    latent: bool = False
    """Keys and values compressed into one, where the file has the lengths for it."""
    recurrent: Recurrent | None = None
    state: State = "mamba"
    interval: int = 4
    """The n of `interval`, for a file that names none."""
    index: Index | None = None
    """What else is kept to find the tokens that matter. keys: one more key for each;
    listed_: in the layers the file lists. pairs: two; _behind_dense: but not in the first,
    dense layers. triples: three. compressed: few for many tokens, and for each slot apart."""
    keeping_layers: int = 0
    """Only the first so many keep anything; the others use theirs."""
    hidden_layer: bool = False
    """It has one layer more than it says; here it is part of the first."""
    shares: bool = False
    """The file says how many of the last layers use the others' caches."""


_PLAIN = Kind()
_ENCODER = Kind(keeps=False)
_LATENT = Kind(latent=True)
_FOURTH = Kind(near=Near(period=4))
_LISTED = Kind(near=Near(period=None))
_DELTA = Kind(recurrent="interval", state="mamba2")
_KIMI = Kind(latent=True, recurrent="without_heads", state="kda")

_KINDS: dict[str, Kind] = {
    "bert": _ENCODER,
    "modern-bert": _ENCODER,
    "nomic-bert": _ENCODER,
    "nomic-bert-moe": _ENCODER,
    "neo-bert": _ENCODER,
    "jina-bert-v2": _ENCODER,
    "jina-bert-v3": _ENCODER,
    "eurobert": _ENCODER,
    "gemma-embedding": _ENCODER,
    "gemma-embedding2": _ENCODER,
    "dream": _ENCODER,
    "llada": _ENCODER,
    "llada-moe": _ENCODER,
    "rnd1": _ENCODER,
    "gemma2": Kind(near=Near(period=2, tokens=4096)),
    "gemma3": Kind(near=Near(period=6)),
    "gemma3n": Kind(near=Near(period=5), keeping_layers=20),
    "gemma4": Kind(near=Near(period=None), shares=True),
    "gpt-oss": Kind(near=Near(period=2)),
    "llama4": Kind(near=Near(period=4, tokens=8192, always_tokens=8192)),
    "plamo3": Kind(near=Near(period=8)),
    "cohere2": _FOURTH,
    "olmo2": _FOURTH,
    "exaone-moe": _FOURTH,
    "afmoe": _FOURTH,
    "mellum": _FOURTH,
    "exaone4": Kind(near=Near(period=4, tokens=4096, layers=64)),
    "cohere2moe": Kind(near=Near(period=4, first=True)),
    "laguna": Kind(near=Near(period=4, first=True)),
    "smallthinker": Kind(near=Near(period=4, first=True, always_tokens=4096)),
    "muse-glimmer": _LISTED,
    "granite_swa": _LISTED,
    "maple": _LISTED,
    "mimo2": _LISTED,
    "step35": _LISTED,
    "spark2_5": _LISTED,
    "dflash": _LISTED,
    "deepseek2": _LATENT,
    "mistral4": _LATENT,
    "deepseek32": Kind(latent=True, index="keys"),
    "glm-dsa": Kind(latent=True, index="listed_keys"),
    "hy_v4": Kind(latent=True, index="listed_keys"),
    "dots3note": Kind(near=Near(period=None), latent=True, index="listed_keys"),
    "deepseek4": Kind(index="compressed"),
    "graniteswitch": Kind(hidden_layer=True),
    "minimax-m3": Kind(index="pairs_behind_dense"),
    "mamba": Kind(recurrent="every"),
    "mamba2": Kind(recurrent="every", state="mamba2"),
    "rwkv6": Kind(recurrent="every", state="rwkv"),
    "rwkv6qwen2": Kind(recurrent="every", state="rwkv"),
    "rwkv7": Kind(recurrent="every", state="rwkv"),
    "arwkv7": Kind(recurrent="every", state="rwkv"),
    "falcon-h1": Kind(recurrent="beside", state="mamba2"),
    "jamba": Kind(recurrent="without_heads"),
    "plamo2": Kind(recurrent="without_heads"),
    "granitehybrid": Kind(recurrent="without_heads", state="mamba2"),
    "nemotron_h": Kind(recurrent="without_heads_or_ff", state="mamba2"),
    "nemotron_h_moe": Kind(recurrent="without_heads_or_ff", state="mamba2"),
    "lfm2": Kind(recurrent="without_heads", state="shortconv", near=Near(period=0)),
    "lfm2moe": Kind(recurrent="without_heads", state="shortconv"),
    "qwen3next": _DELTA,
    "qwen35": _DELTA,
    "qwen35moe": _DELTA,
    "qwen4exp": Kind(recurrent="interval", state="mamba2", index="pairs"),
    "minimax-01": Kind(recurrent="interval", state="lightning", interval=8),
    "kimi-linear": _KIMI,
    "kimi-k3": _KIMI,
    "bailingmoe3": _KIMI,
    "glm5-next": Kind(latent=True, recurrent="without_heads", state="kda", index="triples"),
}
_PLAIN_ONES = """
    apertus arcee arctic baichuan bailingmoe bailingmoe2 bitnet bloom chameleon chatglm clef
    codeshell cogvlm command-r dbrx deci deepseek deepseek2-ocr dots1 eagle3 ernie4_5
    ernie4_5-moe exaone falcon gemma gemma4-assistant glm4 glm4moe gpt2 gptneox granite
    granitemoe grok grovemoe hrm_text hunyuan-dense hunyuan-moe hunyuan_vl hy_v3
    internlm2 jais jais2 k2-horizon llama llama-embed maincoder minicpm minicpm3 minimax-m2
    mistral3 mpt nanbeige nemotron olmo olmoe openelm orion paddleocr pangu-embedded phi2 phi3
    phimoe plamo plm pockettts qwen qwen2 qwen2moe qwen2vl qwen3 qwen3moe qwen3tts qwen3vl
    qwen3vlmoe refact seed_oss smollm3 stablelm starcoder starcoder2 t5 t5encoder talkie
    wavtokenizer-dec xverse
"""
ARCHITECTURES: dict[str, Kind] = dict.fromkeys(_PLAIN_ONES.split(), _PLAIN) | _KINDS
"""Every one the engine runs. Not among them: gptj, which it knows by name and refuses, and
clip, the eyes of another model."""
PROJECTOR = "clip"
"""Source: llama_model_loader: it "cannot be used as main model, use it with --mmproj"."""
