"""Writes models of a megabyte, all zeros: they say nothing, and remember as large ones do."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.formats.writing import As, Numbers, Written, gguf

WIDTH, HEADS, HEAD, WIDE, LAYERS = 64, 2, 32, 128, 6
INNER, STATE, RANK, KERNEL = 128, 16, 4, 4
TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def _bytes() -> list[str]:
    """The names of all 256 bytes in a GPT-2 vocabulary, a letter first: zeros choose the first."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    names = {byte: chr(byte) for byte in plain}
    names |= {byte: chr(256 + at) for at, byte in enumerate(others)}
    return ["e", *(names[byte] for byte in range(256) if names[byte] != "e")]


def _model(kind: str, tensors: Iterator[Numbers], values: Mapping[str, Written]) -> bytes:
    tokens = [*_bytes(), "<|end|>"]
    metadata: dict[str, Any] = {
        "general.architecture": kind,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": As("int32", [1] * 256 + [3]),
        "tokenizer.ggml.merges": ["t h"],
        "tokenizer.ggml.eos_token_id": 256,
        "tokenizer.ggml.bos_token_id": 256,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": TEMPLATE,
        f"{kind}.context_length": 4096,
        f"{kind}.embedding_length": WIDTH,
        f"{kind}.block_count": LAYERS,
        f"{kind}.attention.layer_norm_rms_epsilon": 1e-6,
    }
    metadata |= {f"{kind}.{name}": value for name, value in values.items()}
    every = [
        Numbers("token_embd.weight", (WIDTH, len(tokens))),
        Numbers("output_norm.weight", (WIDTH,)),
        *tensors,
    ]
    return gguf(metadata, every)


def _layers(shapes: Mapping[str, tuple[int, ...]]) -> Iterator[Numbers]:
    for layer in range(LAYERS):
        for name, shape in shapes.items():
            yield Numbers(f"blk.{layer}.{name}", shape)


ATTENTION: dict[str, Written] = {
    "feed_forward_length": WIDE, "attention.head_count": HEADS, "attention.head_count_kv": 1,
    "attention.key_length": HEAD, "attention.value_length": HEAD, "rope.freq_base": 10000.0,
}  # fmt: skip
PLAIN: dict[str, tuple[int, ...]] = {
    "attn_norm.weight": (WIDTH,), "attn_q.weight": (WIDTH, HEADS * HEAD),
    "attn_k.weight": (WIDTH, HEAD), "attn_v.weight": (WIDTH, HEAD),
    "attn_output.weight": (HEADS * HEAD, WIDTH), "ffn_norm.weight": (WIDTH,),
    "ffn_gate.weight": (WIDTH, WIDE), "ffn_up.weight": (WIDTH, WIDE),
    "ffn_down.weight": (WIDE, WIDTH),
}  # fmt: skip
NORMS: dict[str, tuple[int, ...]] = {
    "attn_q_norm.weight": (HEAD,), "attn_k_norm.weight": (HEAD,),
    "post_attention_norm.weight": (WIDTH,), "post_ffw_norm.weight": (WIDTH,),
}  # fmt: skip
RECURRENT: dict[str, tuple[int, ...]] = {
    "attn_norm.weight": (WIDTH,), "ssm_in.weight": (WIDTH, 2 * INNER),
    "ssm_conv1d.weight": (KERNEL, INNER), "ssm_conv1d.bias": (INNER,),
    "ssm_x.weight": (INNER, RANK + 2 * STATE), "ssm_dt.weight": (RANK, INNER),
    "ssm_dt.bias": (INNER,), "ssm_a": (STATE, INNER), "ssm_d": (INNER,),
    "ssm_out.weight": (INNER, WIDTH),
}  # fmt: skip


def plain() -> bytes:
    """Every layer attends to all that was read."""
    return _model("llama", _layers(PLAIN), ATTENTION | {"rope.dimension_count": HEAD})


def sliding() -> bytes:
    """Most layers attend to the last 64 tokens only."""
    return _model("gemma3", _layers(PLAIN | NORMS), ATTENTION | {"attention.sliding_window": 64})


def recurrent() -> bytes:
    """Every layer keeps one state, which cannot be cut back."""
    values: dict[str, Written] = {
        "feed_forward_length": 0, "attention.head_count": 0, "ssm.conv_kernel": KERNEL,
        "ssm.inner_size": INNER, "ssm.state_size": STATE, "ssm.time_step_rank": RANK,
    }  # fmt: skip
    return _model("mamba", _layers(RECURRENT), values)


def adapter() -> bytes:
    """For `plain`."""
    metadata: dict[str, Written] = {
        "general.architecture": "llama", "general.type": "adapter", "adapter.type": "lora",
        "adapter.lora.alpha": 1.0,
    }  # fmt: skip
    name, rank = "blk.0.attn_q.weight", 4
    pair = (
        Numbers(f"{name}.lora_a", (WIDTH, rank)),
        Numbers(f"{name}.lora_b", (rank, HEADS * HEAD)),
    )
    return gguf(metadata, pair)
