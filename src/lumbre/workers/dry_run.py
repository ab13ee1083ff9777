"""Ask the engine how many bytes a model would take, without reading its weights.

The dry run is a program that lives for a moment: orders come as JSON lines on standard input,
each answer goes back as one line. llama.cpp's own planner does the work (common/fit.cpp,
`common_get_device_memory_data`, which loads with `no_alloc`); the wheel does not wrap it, so it
is called through ctypes. Whoever asks keeps this apart from everything else: a header the
engine stumbles over ends the process, not the asker.

Source of the two layouts: include/llama.h of llama.cpp b11549, as compiled into xllamacpp
2026.10.11549. `_assert_layout` compares the defaults the library fills in with those of that
header and refuses when one stands elsewhere.
"""

import ctypes as c
import importlib.metadata
import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lumbre.workers import life

_BUILD = "2026.10.11549"
_SYMBOL = (
    "_Z29common_get_device_memory_dataPKcPK18llama_model_paramsPK20llama_context_params"
    "RSt6vectorIP19ggml_backend_deviceSaIS9_EERjSD_SD_14ggml_log_level"
)
_ERRORS_ONLY = 4
"""Source: GGML_LOG_LEVEL_ERROR of ggml.h."""
_TYPES = {"f16": 1, "q8_0": 8}
"""Source: `enum ggml_type` of ggml.h."""
_MEAN_POOLING = 1
"""Source: `enum llama_pooling_type` of llama.h."""
_FLASH_ATTENTION_AUTO = -1


class _ModelParams(c.Structure):
    _fields_ = [
        ("devices", c.c_void_p),
        ("tensor_buft_overrides", c.c_void_p),
        ("n_gpu_layers", c.c_int32),
        ("split_mode", c.c_int),
        ("load_mode", c.c_int),
        ("lazy_mode", c.c_int),
        ("main_gpu", c.c_int32),
        ("tensor_split", c.c_void_p),
        ("progress_callback", c.c_void_p),
        ("progress_callback_user_data", c.c_void_p),
        ("kv_overrides", c.c_void_p),
        ("vocab_only", c.c_bool),
        ("check_tensors", c.c_bool),
        ("use_extra_bufts", c.c_bool),
        ("no_host", c.c_bool),
        ("no_alloc", c.c_bool),
        ("load_mtp", c.c_bool),
    ]


class _ContextParams(c.Structure):
    _fields_ = [
        *((name, c.c_uint32) for name in ("n_ctx", "n_batch", "n_ubatch", "n_seq_max")),
        *((name, c.c_uint32) for name in ("n_rs_seq", "n_outputs_max", "n_outputs_max_per_seq")),
        ("n_threads", c.c_int32),
        ("n_threads_batch", c.c_int32),
        *((name, c.c_int) for name in ("ctx_type", "rope_scaling_type", "pooling_type")),
        *((name, c.c_int) for name in ("attention_type", "flash_attn_type")),
        *((f"rope_or_yarn_{n}", c.c_float) for n in range(6)),
        ("yarn_orig_ctx", c.c_uint32),
        ("defrag_thold", c.c_float),
        ("cb_eval", c.c_void_p),
        ("cb_eval_user_data", c.c_void_p),
        ("type_k", c.c_int),
        ("type_v", c.c_int),
        ("abort_callback", c.c_void_p),
        ("abort_callback_data", c.c_void_p),
        ("new_in_b11549", c.c_void_p),
        *((name, c.c_bool) for name in ("embeddings", "offload_kqv", "no_perf", "op_offload")),
        *((name, c.c_bool) for name in ("swa_full", "kv_unified")),
        ("samplers", c.c_void_p),
        ("n_samplers", c.c_size_t),
        ("ctx_other", c.c_void_p),
        ("beyond", c.c_char * 64),
    ]


class _Vector(c.Structure):
    """A std::vector: where it begins, ends, and may grow to."""

    _fields_ = [("begin", c.c_void_p), ("end", c.c_void_p), ("capacity", c.c_void_p)]


class _DeviceMemory(c.Structure):
    """Source: common_device_memory_data of common/fit.h."""

    _fields_ = [
        ("total", c.c_int64),
        ("free", c.c_int64),
        ("model", c.c_size_t),
        ("context", c.c_size_t),
        ("compute", c.c_size_t),
    ]


def main() -> None:
    life.die_with(os.getppid())
    try:
        engine = _Engine()
    except (OSError, AttributeError, ImportError, LookupError) as error:
        _answer({"unusable": str(error)})
        return
    for line in sys.stdin:
        _answer(engine.bytes_of(json.loads(line)))


def _answer(facts: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


class _Engine:
    """The library, with its layout believed."""

    def __init__(self) -> None:
        spec = importlib.util.find_spec("xllamacpp")
        if spec is None or spec.origin is None:
            raise ImportError("xllamacpp is not installed")
        build = importlib.metadata.version("xllamacpp")
        if build.partition("+")[0] != _BUILD:
            raise LookupError(f"xllamacpp {build}: its layout is not known, {_BUILD} is")
        found = sorted(Path(spec.origin).parent.glob("xllamacpp*.so"))
        self._library = c.CDLL(str(found[0])) if found else c.CDLL(spec.origin)
        self._library.llama_model_default_params.restype = _ModelParams
        self._library.llama_context_default_params.restype = _ContextParams
        self._ask = getattr(self._library, _SYMBOL)
        self._ask.restype = None
        counts = [c.POINTER(c.c_uint32)] * 3
        self._ask.argtypes = [
            c.POINTER(_Vector), c.c_char_p, c.POINTER(_ModelParams), c.POINTER(_ContextParams),
            c.POINTER(_Vector), *counts, c.c_int,
        ]  # fmt: skip
        self._assert_layout()
        self._library.llama_backend_init()

    def _assert_layout(self) -> None:
        """Source: llama_context_default_params and llama_model_default_params, llama.cpp."""
        p, m = (
            self._library.llama_context_default_params(),
            self._library.llama_model_default_params(),
        )
        found = (
            p.n_ctx, p.n_batch, p.n_ubatch, p.n_seq_max, p.type_k, p.type_v, p.embeddings,
            p.offload_kqv, p.no_perf, p.op_offload, p.swa_full, p.kv_unified, m.use_extra_bufts,
            m.no_alloc, m.vocab_only, m.main_gpu,
        )  # fmt: skip
        expected = (
            512, 2048, 512, 1, 1, 1, False, True, True, True, True, False, True, False, False, 0,
        )  # fmt: skip
        if found != expected:
            raise LookupError(f"the layout of llama.h has changed: {found}")

    def bytes_of(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """The engine's figures for one way of running a model, device by device, host last."""
        m, p = (
            self._library.llama_model_default_params(),
            self._library.llama_context_default_params(),
        )
        # with extra buffers, repacked tensors are left out altogether
        m.use_extra_bufts = order.get("extra_buffers", False)
        m.n_gpu_layers = order["gpu_layers"]
        if order["tensor_split"]:
            split = (c.c_float * 128)(*order["tensor_split"])
            m.tensor_split = c.cast(split, c.c_void_p)
        p.n_ctx = order["context_tokens"]
        p.n_batch = p.n_ubatch = order["batch_tokens"]
        p.n_seq_max = order["slots"]
        p.type_k = p.type_v = _TYPES[order["kv_type"]]
        p.kv_unified = True
        p.swa_full = False
        p.flash_attn_type = _FLASH_ATTENTION_AUTO
        p.n_threads = p.n_threads_batch = order["threads"]
        if order["embeds"]:
            p.embeddings = True
            p.pooling_type = _MEAN_POOLING
        else:
            p.n_outputs_max = order[
                "slots"
            ]  # as the server does: a word's worth for the last alone
        out, devices = _Vector(), _Vector()
        layers, trained, _used = c.c_uint32(), c.c_uint32(), c.c_uint32()
        self._ask(
            c.byref(out), order["path"].encode(), c.byref(m), c.byref(p), c.byref(devices),
            c.byref(layers), c.byref(trained), c.byref(_used), _ERRORS_ONLY,
        )  # fmt: skip
        count = ((out.end or 0) - (out.begin or 0)) // c.sizeof(_DeviceMemory)
        found = (_DeviceMemory * count).from_address(out.begin) if count else ()
        return {
            "layers": layers.value,
            "devices": [
                {
                    "weights_bytes": one.model,
                    "kv_bytes": one.context,
                    "compute_bytes": one.compute,
                }
                for one in found
            ],
        }


if __name__ == "__main__":
    main()
