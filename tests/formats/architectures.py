"""Headers of models too small to say anything, one for each architecture of the engine.

Source of which keys each wants: llama.cpp tests/test-llama-archs.cpp, and its own complaints.
"""

from collections.abc import Mapping

from tests.formats.writing import As, Numbers, Written, gguf

LAYERS = 12
EXPERTS_NEEDED = frozenset({
    "deepseek2-ocr", "dots1", "hunyuan-moe", "llada-moe", "maple", "minimax-m2", "minimax-m3",
    "qwen2moe", "qwen3moe", "qwen3vlmoe", "qwen3next", "qwen35moe", "qwen4exp", "grovemoe",
    "ernie4_5-moe", "bailingmoe", "bailingmoe2", "bailingmoe3", "afmoe", "olmoe", "arctic",
    "deepseek", "deepseek2", "deepseek32", "deepseek4", "glm-dsa", "glm4moe", "granitemoe",
    "grok", "dbrx", "phimoe", "smallthinker", "gpt-oss", "lfm2moe", "cohere2moe", "exaone-moe",
    "mimo2", "step35", "hy_v3", "hy_v4", "kimi-linear", "kimi-k3", "llama4", "dots3note",
    "mistral4", "laguna", "nemotron_h_moe", "rnd1", "nomic-bert-moe", "spark2_5", "mellum",
    "minimax-01", "muse-glimmer", "k2-horizon", "glm5-next",
})  # fmt: skip
LATENT = frozenset({
    "deepseek2", "deepseek32", "glm-dsa", "dots3note", "kimi-linear", "bailingmoe3", "kimi-k3",
    "mistral4", "hy_v4", "minicpm3",
})  # fmt: skip
HYBRID = frozenset({
    "plamo2", "jamba", "granitehybrid", "lfm2", "lfm2moe", "kimi-linear", "bailingmoe3",
    "kimi-k3",
})  # fmt: skip
LISTED = frozenset({
    "mimo2", "step35", "spark2_5", "muse-glimmer", "granite_swa", "dots3note",
})  # fmt: skip
MOSTLY_NEAR = As("bool", [layer % 6 != 5 for layer in range(LAYERS)])
FEW_ATTEND = As("uint32", [int(layer % 4 == 3) for layer in range(LAYERS)])
UNTRIED = {
    "clef": "wants a decision head",
    "eagle3": "drafts for another model, and wants it",
    "gemma4-assistant": "drafts for another model, and wants it",
    "jina-bert-v2": "no small header was found that it accepts",
    "plm": "no small header was found that it accepts",
    "rwkv6qwen2": "no small header was found that it accepts",
    "wavtokenizer-dec": "no small header was found that it accepts",
}
"""Not compared with the engine, and why."""


def header_of(architecture: str, **changes: Written | None) -> bytes:
    """A whole header without weights. Changes are keys of the architecture, with __ for dots;
    None takes one out."""
    values: dict[str, Written] = {**_common(architecture), **_special(architecture)}
    for key, value in changes.items():
        name = key.replace("__", ".")
        if value is None:
            values.pop(name, None)
        else:
            values[name] = value
    metadata: dict[str, Written] = {
        "general.architecture": architecture,
        "tokenizer.ggml.model": "no_vocab",
        "tokenizer.ggml.token_type_count": 2,
        "xielu.alpha_n": 1.0, "xielu.alpha_p": 1.0, "xielu.beta": 1.0, "xielu.eps": 1e-7,
    }  # fmt: skip
    metadata |= {f"{architecture}.{key}": value for key, value in values.items()}
    return gguf(metadata, [Numbers("nothing", (1,), "F16")])


def _common(architecture: str) -> dict[str, Written]:
    width, heads = _size(architecture)
    values: dict[str, Written] = {
        "vocab_size": 128, "context_length": 4096, "embedding_length": width,
        "features_length": width, "block_count": LAYERS, "leading_dense_block_count": 1,
        "feed_forward_length": 384, "use_parallel_residual": False, "logit_scale": 1.0,
        "time_mix_extra_dim": 64, "time_decay_extra_dim": 128, "full_attention_interval": 2,
        "attention.head_count": heads, "attention.head_count_kv": heads,
        "attention.max_alibi_bias": 8.0, "attention.clamp_kqv": 1.0,
        "attention.layer_norm_epsilon": 1e-5, "attention.layer_norm_rms_epsilon": 1e-5,
        "attention.group_norm_epsilon": 1e-5, "attention.group_norm_groups": 8,
        "attention.q_lora_rank": 512, "attention.kv_lora_rank": 512,
        "attention.relative_buckets_count": 8, "attention.sliding_window": 128,
        "attention.indexer.head_count": 64, "attention.indexer.key_length": 128,
        "attention.indexer.top_k": 8, "attention.indexer.block_size": 4,
        "attention.indexer.local_blocks": 1,
        "rope.dimension_sections": As("uint32", [width // heads // 4] * 4),
        "ssm.inner_size": 2 * width, "ssm.conv_kernel": 4, "ssm.state_size": 128,
        "ssm.time_step_rank": heads, "kda.head_dim": 128, "kda.safe_gate": True,
        "kda.gate_lower_bound": -5.0, "wkv.head_size": width // heads, "shortconv.l_cache": 3,
        "residual_scale": 3.5, "attn_res.block_size": 12, "activation.situ_beta": 4.0,
        "activation.situ_linear_beta": 25.0, "attention.decay_lora_rank": 64,
        "attention.iclr_lora_rank": 64, "attention.value_residual_mix_lora_rank": 32,
        "attention.gate_lora_rank": 64,
    }  # fmt: skip
    if architecture in EXPERTS_NEEDED:
        values |= {
            "expert_feed_forward_length": 384, "expert_shared_feed_forward_length": 192,
            "expert_latent_length": 384, "interleave_moe_layer_step": 2, "expert_count": 4,
            "expert_used_count": 2, "expert_shared_count": 1, "expert_gating_func": 2,
            "expert_group_scale": 1.0, "experts_per_group": 1, "moe_latent_size": 384,
            "expert_chunk_feed_forward_length": 384, "moe_every_n_layers": 2,
        }  # fmt: skip
    if architecture in LATENT:
        values |= {
            "attention.key_length": 576, "attention.value_length": 512,
            "rope.dimension_count": 64, "attention.key_length_mla": 192,
            "attention.value_length_mla": 128,
        }  # fmt: skip
    if architecture in HYBRID:
        by_layer = As("uint32", [0 if layer % 4 == 1 else heads for layer in range(LAYERS)])
        values |= {"attention.head_count": by_layer, "attention.head_count_kv": by_layer}
    if architecture in LISTED:
        values["attention.sliding_window_pattern"] = As("uint32", [0, 1] * (LAYERS // 2))
    return values


def _size(architecture: str) -> tuple[int, int]:
    """Embedding and heads."""
    if architecture in LATENT:
        return 128, 1
    return {
        "gemma3n": (64, 1),
        "gemma4": (128, 2),
        "deepseek4": (512, 8),
        "glm5-next": (128, 1),
    }.get(architecture, (256, 2))


def _special(architecture: str) -> Mapping[str, Written]:
    near = "attention.sliding_window_pattern"
    every_other = As("uint32", [1, 0] * (LAYERS // 2))
    per_layer: dict[str, Mapping[str, Written]] = {
        "bailingmoe3": {
            "swiglu_clamp_exp": As("float32", [0.0] + [4.0] * (LAYERS - 1)),
            "swiglu_clamp_shexp": As("float32", [0.0] + [5.0] * (LAYERS - 1)),
        },
        "arwkv7": {"token_shift_count": 1},
        "chameleon": {"vocab_size": 10240},
        "deepseek2-ocr": {"attention.key_length": 128, "attention.value_length": 128},
        "deepseek4": {
            "attention.head_count_kv": 1, "attention.key_length": 64,
            "attention.value_length": 64, "rope.dimension_count": 32,
            "attention.q_lora_rank": 64, "expert_gating_func": 4,
            "attention.output_group_count": 8, "attention.output_lora_rank": 32,
            "attention.compress_ratios": As("uint32", [0, 0, 4, 128] * (LAYERS // 4)),
            "attention.compress_rope_freq_base": 160000.0, "hyper_connection.count": 4,
            "hyper_connection.sinkhorn_iterations": 2, "hyper_connection.epsilon": 1e-6,
            "hash_layer_count": 0, "swiglu_clamp_exp": 10.0, "expert_weights_scale": 1.0,
            "expert_weights_norm": True,
        },
        "dflash": {"target_layers": As("int32", [1, 2, 3]), "block_size": 16, near: MOSTLY_NEAR},
        "dots3note": {
            "attention.kv_lora_rank_swa": 512, "attention.key_length_swa": 576,
            "attention.value_length_swa": 512, "attention.key_length_mla_swa": 192,
            "attention.value_length_mla_swa": 128, "rope.freq_base_swa": 10000.0,
            "attention.indexer.types": every_other,
        },
        "gemma-embedding2": {
            "embedding_length_per_layer_input": 128, near: MOSTLY_NEAR,
            "attention.key_length_swa": 128, "attention.value_length_swa": 128,
        },
        "gemma3n": {"block_count": 30},
        "gemma4": {
            "embedding_length_per_layer_input": 64, "attention.shared_kv_layers": 6,
            "attention.key_length_swa": 64, "attention.value_length_swa": 64,
            "rope.freq_base_swa": 10000.0, near: MOSTLY_NEAR,
        },
        "glm5-next": {
            "attention.head_count": 1, "attention.head_count_kv": FEW_ATTEND,
            "attention.key_length": 512, "attention.value_length": 512,
            "attention.key_length_mla": 192, "attention.value_length_mla": 128,
            "rope.dimension_count": 0, "attention.indexer.kpool": 4,
            "attention.indexer.kpool_select_tail": True, "hyper_connection.count": 4,
            "hyper_connection.epsilon": 1e-6, "hyper_connection.sinkhorn_iterations": 2,
        },
        "graniteswitch": {
            "adapters.count": 1, "adapters.lora_rank": 8, "adapters.router_gain": 1.0,
            "adapters.token_ids_activate": As("int32", [1]),
            "adapters.token_ids_substitute": As("int32", [1]),
        },
        "hrm_text": {
            "hrm.layers_per_stack": 3, "hrm.h_cycles": 2, "hrm.l_cycles": 1,
            "hrm.prefix_lm": False,
        },
        "hy_v4": {
            "hyper_connection.count": 4, "hyper_connection.epsilon": 1e-6,
            "hyper_connection.magnitude": 2.0, "swiglu_clamp_exp": 10.0,
            "expert_weights_scale": 1.0, "expert_weights_norm": True,
            "attention.indexer.types": every_other,
        },
        "mamba2": {"ssm.group_count": 2},
        "falcon-h1": {"ssm.group_count": 2},
        "granitehybrid": {"ssm.group_count": 2},
        "maple": {near: MOSTLY_NEAR, "swiglu_clamp_exp": 4.0},
        "minimax-m3": {"rope.dimension_count": 64, "attention.indexer.head_count": 2},
        "plamo2": {"ssm.group_count": 0},
        "qwen3tts": {"vocab_size": 4096},
        "qwen4exp": {
            "hyper_connection.count": 4, "hyper_connection.low_rank": 8,
            "attention.compress_ratios": As("uint32", [4] * LAYERS),
            "ple.layers": As("uint32", [0]), "ple.ngram_size": 3, "ple.heads_per_ngram": 2,
            "ple.conv_kernel": 4, "ple.eos_token_id": 0, "embedding_length_per_layer_input": 64,
            "ple.layer_multipliers": As("uint64", [1, 3, 5]),
            "ple.head_offsets": As("uint64", [0, 128, 256, 384]),
            "ple.head_vocab_sizes": As("uint64", [128] * 4),
        },
    }  # fmt: skip
    if architecture.startswith("qwen3") or architecture == "qwen4exp":
        return {"ssm.inner_size": 256, "ssm.group_count": 2, **per_layer.get(architecture, {})}
    if architecture.startswith("nemotron_h"):
        inner = [384 if layer % 4 in (2, 3) else 0 for layer in range(LAYERS)]
        attends = [2 if layer % 4 == 0 else 0 for layer in range(LAYERS)]
        return {
            "ssm.group_count": 2,
            "feed_forward_length": As("uint32", inner),
            "attention.head_count_kv": As("uint32", attends),
        }
    return per_layer.get(architecture, {})
