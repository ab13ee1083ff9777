"""How many bytes a worker will hold once loaded and with a full context. Pure.

The first form: the header's formula. It is checked against the measured size of real
workers (tests/planner), and is never to say less.
"""

from lumbre.core.backend import WorkerSettings
from lumbre.core.machine import Need
from lumbre.core.model import Facts, Tensor

MIB = 2**20
OVERHEAD_BYTES = 100 * MIB
"""Python, tokenizer, sampler, compute buffers. Source: measured with xllamacpp b11549 at a
batch of 256 tokens: about 51 MiB at a vocabulary of 49k, 100 MiB at 152k."""
_ELEMENT_BYTES = {"f16": 2.0, "q8_0": 34 / 32}
_CONTEXT_STEP_TOKENS = 256
"""Source: llama.cpp pads each sequence's cache, GGML_PAD(n_ctx, 256) in llama-context.cpp."""
_REPACKED = frozenset({"Q4_0", "Q4_K", "IQ4_NL"})
"""Source: ggml/src/ggml-cpu/repack.cpp ggml_repack_get_optimal_repack_type, the AVX2 branches."""
_REPACK_ROWS = 8


def need(facts: Facts, settings: WorkerSettings) -> Need:
    """Bytes of a llama.cpp worker on the CPU, for models with plain attention."""
    repack_bytes = repacked_bytes(facts) if settings.extra_buffers else 0
    return Need(
        weights_bytes=facts.file_bytes,
        # read, not mapped: what is rewritten is not kept a second time
        repack_bytes=repack_bytes if settings.load_mode == "mmap" else 0,
        kv_bytes=kv_bytes(facts, settings),
        overhead_bytes=OVERHEAD_BYTES + settings.cache_ram_mib * MIB,
    )


def need_of_files(total_file_bytes: int, resident_bytes: int | None = None) -> Need:
    """Bytes of a worker without a formula: its files, or what its manifest says it holds."""
    return Need(
        weights_bytes=total_file_bytes if resident_bytes is None else resident_bytes,
        repack_bytes=0,
        kv_bytes=0,
        overhead_bytes=OVERHEAD_BYTES,
    )


def kv_bytes(facts: Facts, settings: WorkerSettings) -> int:
    """Bytes of the key-value cache: layers x kv_heads x (key + value) x context x element.

    Source: llama.cpp's log, exact in 12 of 12 settings tried (no sliding window, no latent
    attention).
    """
    asked_tokens = settings.context_tokens or facts.context_length
    context_tokens = -(-asked_tokens // _CONTEXT_STEP_TOKENS) * _CONTEXT_STEP_TOKENS
    width = facts.layers * facts.kv_heads * (facts.key_length + facts.value_length)
    return round(width * context_tokens * _ELEMENT_BYTES[settings.kv_type])


def repacked_bytes(facts: Facts) -> int:
    """Bytes of the tensors the CPU backend writes a second time, rows interleaved for speed."""
    return sum(tensor.size_bytes for tensor in facts.tensors if _is_repacked(tensor))


def _is_repacked(tensor: Tensor) -> bool:
    """A matrix that is multiplied with; the table that words are looked up in is not."""
    return (
        tensor.kind in _REPACKED
        and len(tensor.shape) >= 2
        and tensor.shape[1] % _REPACK_ROWS == 0
        and not tensor.name.startswith("token_embd")
    )
