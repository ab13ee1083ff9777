"""How many bytes a worker will hold once loaded and with a full context. Pure.

The first form: a formula on the header. It is held against the measured size of real
workers (tests/workers/test_memory.py), and is never to say less.
"""

from lumbre.core.backend import WorkerSettings
from lumbre.core.machine import Need
from lumbre.core.model import Facts, Tensor

MIB = 2**20
LEAST_OVERHEAD_BYTES = 100 * MIB
_BASE_BYTES = 48 * MIB
_BYTES_PER_WORD = 512
"""Source of both: PSS less file, copy and cache, measured with xllamacpp b11549 at a batch of
64 tokens: 50 MiB at a vocabulary of 49,152, 94 MiB at 151,936; a tenth added."""
_ELEMENT_BYTES = {"f16": 2.0, "q8_0": 34 / 32}
_CONTEXT_STEP_TOKENS = 256
"""Source: llama.cpp src/llama-context.cpp, GGML_PAD(n_ctx, 256)."""
_TABLE = "token_embd.weight"
_OUTPUT = "output.weight"
_REPACKED = frozenset({"Q4_0", "Q4_K", "IQ4_NL", "MXFP4"})
_REPACKED_ON_ARM = _REPACKED | {"Q5_K", "Q6_K", "Q8_0", "Q1_0"}
"""Source: llama.cpp ggml/src/ggml-cpu/repack.cpp, ggml_repack_get_optimal_repack_type: its
branches for AVX2, and for NEON with the dot product."""
_ARM = frozenset({"aarch64", "arm64"})


def need(
    facts: Facts, settings: WorkerSettings, *, embeds: bool = False, processor: str = "x86_64"
) -> Need:
    """Bytes of a llama.cpp worker on the CPU, for models with plain attention.

    `processor` is named as `platform.machine()` does; an adapter's file comes on top.
    """
    return Need(
        weights_bytes=facts.file_bytes,
        repack_bytes=copied_bytes(facts, settings, processor),
        kv_bytes=kv_bytes(facts, settings),
        overhead_bytes=overhead_bytes(facts, settings, embeds=embeds),
    )


def need_of_files(total_file_bytes: int, resident_bytes: int | None = None) -> Need:
    """Bytes of a worker without a formula: what its manifest says it holds, else its files."""
    return Need(
        weights_bytes=total_file_bytes if resident_bytes is None else resident_bytes,
        repack_bytes=0,
        kv_bytes=0,
        overhead_bytes=LEAST_OVERHEAD_BYTES,
    )


def kv_bytes(facts: Facts, settings: WorkerSettings) -> int:
    """Bytes of the key-value cache: kv_heads of all layers x (key + value) x context x element.

    Source: llama.cpp's log, exact in 12 of 12 settings tried (no sliding window, no latent
    attention); its slots share one cache.
    """
    tokens = _context_tokens(facts, settings)
    heads = sum(facts.kv_heads_by_layer) or facts.layers * facts.kv_heads
    width = heads * (facts.key_length + facts.value_length)
    return round(width * tokens * _ELEMENT_BYTES[settings.kv_type])


def copied_bytes(facts: Facts, settings: WorkerSettings, processor: str = "x86_64") -> int:
    """Bytes that stand in memory twice because the CPU backend rewrites them for speed.

    A mapped file stays whole beside the copy of its matrices; a file that is read keeps
    none of them twice. A table of words that is multiplied with as well (no matrix of
    output) is needed in both forms either way.
    """
    if not settings.extra_buffers:
        return 0
    kinds = _REPACKED_ON_ARM if processor.lower() in _ARM else _REPACKED
    repacked = [tensor for tensor in facts.tensors if _can_be_repacked(tensor, kinds)]
    is_tied = all(tensor.name != _OUTPUT for tensor in facts.tensors)
    table = sum(tensor.size_bytes for tensor in repacked if tensor.name == _TABLE and is_tied)
    others = sum(tensor.size_bytes for tensor in repacked if tensor.name != _TABLE)
    return table + (others if settings.load_mode == "mmap" else 0)


def overhead_bytes(facts: Facts, settings: WorkerSettings, *, embeds: bool = False) -> int:
    """Bytes for Python, tokenizer, sampler, compute buffers and the prompt cache it may fill."""
    tokens = _context_tokens(facts, settings)
    batch_tokens = tokens if embeds else min(tokens, settings.batch_tokens)
    standing = _BASE_BYTES + _BYTES_PER_WORD * facts.vocabulary
    computing = _compute_bytes(facts, tokens, batch_tokens)
    told = _told_bytes(facts, batch_tokens) if embeds else 0
    return max(LEAST_OVERHEAD_BYTES, standing + computing + told) + settings.cache_ram_mib * MIB


def _compute_bytes(facts: Facts, context_tokens: int, batch_tokens: int) -> int:
    """4 x batch x (2 x feed_forward + 7.5 x embedding) + 2 x batch x context.

    Source: fitted on SmolLM2's 12 logged compute buffers, within 0.6 MiB.
    """
    matrices = [t.shape for t in facts.tensors if len(t.shape) > 1 and t.name.startswith("blk.")]
    widest = max((max(shape[:2]) for shape in matrices), default=facts.embedding_length)
    per_token = 4 * (2 * widest + 7.5 * facts.embedding_length) + 2 * context_tokens
    return round(batch_tokens * per_token)


def _told_bytes(facts: Facts, batch_tokens: int) -> int:
    """A worth for every word of the vocabulary at every token, computed and kept.

    A worker that chats asks for the last token's alone; one that embeds with a model made
    to chat asks for all. Source: measured, 560 MiB where 209 were expected without.
    """
    chats = any(tensor.name == "output_norm.weight" for tensor in facts.tensors)
    return 2 * 4 * batch_tokens * facts.vocabulary if chats else 0


def _context_tokens(facts: Facts, settings: WorkerSettings) -> int:
    asked_tokens = settings.context_tokens or facts.context_length
    return -(-asked_tokens // _CONTEXT_STEP_TOKENS) * _CONTEXT_STEP_TOKENS


def _can_be_repacked(tensor: Tensor, kinds: frozenset[str]) -> bool:
    rows = tensor.shape[1] if len(tensor.shape) > 1 else 1
    return tensor.kind in kinds and rows % 8 == 0
