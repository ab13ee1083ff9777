"""A worker that serves one GGUF model with llama.cpp's own server, on loopback."""

from collections.abc import Mapping
from typing import Any

from lumbre.workers import life


def main() -> None:
    worker = life.begin()
    import xllamacpp

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
    p.n_ctx = settings["context_tokens"]
    p.n_parallel = settings["slots"]
    p.kv_unified = True
    p.n_batch = settings["batch_tokens"]
    p.n_ubatch = settings["batch_tokens"]
    p.cpuparams_batch.n_threads = settings["prompt_threads"]
    p.cpuparams.n_threads = settings["generation_threads"]
    p.cache_ram_mib = settings["cache_ram_mib"]
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
    p.lora_adapters = [x.CommonAdapterLoraInfo(path, 0.0) for path in settings["adapters"]]
    if settings["embedding"]:
        p.embedding = True
        p.pooling_type = x.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    for name, value in settings.get("engine", {}).items():
        setattr(p, name, value)
    return p


if __name__ == "__main__":
    main()
