"""A worker that serves one GGUF model with llama.cpp's own server, on loopback."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lumbre.workers import life
from lumbre.workers.libraries import load_beside
from lumbre.workers.placement import experts_on_cpu, split


def main() -> None:
    worker = life.begin()
    if folder := worker.settings["engine_path"]:
        sys.path.insert(0, folder)
        load_beside(Path(folder))
    import xllamacpp

    _check_cards(worker.settings["devices"], xllamacpp.get_device_info())
    try:
        server = xllamacpp.Server(parameters(worker.settings))
    except RuntimeError:
        life.let_log_settle()  # the engine writes its log from a thread that dies with us
        raise
    worker.announce(server.listening_address)
    worker.wait()


def parameters(settings: Mapping[str, Any]) -> Any:
    """The server's parameters; a name this build lacks raises, rather than being set in vain."""
    import xllamacpp as x

    p = x.CommonParams()
    p.model.path = settings["path"]
    p.hostnames = ["127.0.0.1"]
    p.port = 0
    p.api_keys = [settings["key"]]
    p.cors_origins = ""
    p.offline = True
    p.ui = False
    p.endpoint_slots = True
    p.fit_params = False  # the plan decides what fits; the engine would shrink the context unasked
    p.verbosity = 2  # warnings and errors: the log stays small, and no request leaves a line in it
    p.use_jinja = True
    p.warmup = settings["warm_up"]  # by all cores, while others would answer
    p.n_ctx = settings["context_tokens"]
    p.n_parallel = settings["slots"]
    p.kv_unified = True
    p.n_batch = settings["batch_tokens"]
    p.n_ubatch = settings["batch_tokens"]
    p.cpuparams_batch.n_threads = settings["prompt_threads"]
    p.cpuparams.n_threads = settings["generation_threads"]
    p.cache_ram_mib = settings["cache_ram_mib"]
    p.n_ctx_checkpoints = settings["checkpoints"]
    if settings["states_folder"]:
        p.slot_save_path = settings["states_folder"].rstrip("/") + "/"  # a prefix, to the engine
    p.cache_idle_slots = settings["cache_ram_mib"] > 0  # the engine warns of it otherwise
    p.load_mode = {
        "mmap": x.llama_load_mode.LLAMA_LOAD_MODE_MMAP,
        "read": x.llama_load_mode.LLAMA_LOAD_MODE_NONE,
    }[settings["load_mode"]]
    p.no_extra_bufts = not settings["extra_buffers"]
    p.cache_type_k = p.cache_type_v = {
        "f16": x.ggml_type.GGML_TYPE_F16,
        "q8_0": x.ggml_type.GGML_TYPE_Q8_0,
    }[settings["kv_type"]]
    p.n_gpu_layers = settings["gpu_layers"]  # the engine's own default is as many as there is room
    p.split_mode = x.llama_split_mode.LLAMA_SPLIT_MODE_LAYER
    p.main_gpu = 0
    p.tensor_split = split(settings["tensor_split"])
    p.tensor_buft_overrides = experts_on_cpu(settings["expert_layers_on_cpu"])
    if settings["projector"]:
        p.mmproj.path = settings["projector"]
        p.mmproj_use_gpu = bool(settings["devices"])
    p.lora_adapters = [x.CommonAdapterLoraInfo(path, 0.0) for path in settings["adapters"]]
    if settings["embedding"]:
        p.embedding = True
        p.pooling_type = x.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    for name, value in settings.get("engine", {}).items():
        setattr(p, name, value)
    return p


def _check_cards(devices: Sequence[str], seen: Sequence[Mapping[str, Any]]) -> None:
    """A build without the cards of the plan would quietly put everything in main memory."""
    cards = [card["name"] for card in seen if "GPU" in card["type"].name]
    if len(cards) < len(devices):
        raise RuntimeError(
            f"the plan uses {', '.join(devices)}; this build of the engine sees "
            f"{', '.join(cards) or 'no graphics card'}"
        )


if __name__ == "__main__":
    main()
