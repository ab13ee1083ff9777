"""A program that asks the engine what a header's caches take: orders as JSON lines, answers too.

A model needs no weights for that: `llama_model_init_from_user` makes one from a header alone.
It may abort on a header it dislikes, so this runs as a child.
"""

import ctypes as c
import json
import sys
from pathlib import Path
from typing import Any

import xllamacpp

from lumbre.workers.dry_run import _ContextParams, _ModelParams

_TYPES = {"f16": 1, "q8_0": 8}


class _GgufParams(c.Structure):
    """Source: gguf_init_params of gguf.h."""

    _fields_ = [("no_alloc", c.c_bool), ("context", c.c_void_p)]


_Set = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p)
_Log = c.CFUNCTYPE(None, c.c_int, c.c_char_p, c.c_void_p)


class Engine:
    def __init__(self) -> None:
        folder = Path(xllamacpp.__file__).parent
        self.library = library = c.CDLL(str(next(folder.glob("xllamacpp*.so"))))
        library.gguf_init_from_file.argtypes = [c.c_char_p, _GgufParams]
        library.gguf_init_from_file.restype = c.c_void_p
        library.llama_model_init_from_user.argtypes = [c.c_void_p, _Set, c.c_void_p, _ModelParams]
        library.llama_model_init_from_user.restype = c.c_void_p
        library.llama_init_from_model.argtypes = [c.c_void_p, _ContextParams]
        library.llama_init_from_model.restype = c.c_void_p
        library.llama_model_default_params.restype = _ModelParams
        library.llama_context_default_params.restype = _ContextParams
        self._breakdown = library._Z26llama_get_memory_breakdownPK13llama_context
        self._breakdown.argtypes = [c.c_void_p, c.c_void_p]
        for name in ("gguf_free", "llama_model_free", "llama_free"):
            getattr(library, name).argtypes = [c.c_void_p]
        library.llama_model_save_to_file.argtypes = [c.c_void_p, c.c_char_p]
        self._said: list[str] = []
        self._log = _Log(lambda level, text, _: self._said.append(text.decode(errors="replace")))
        self._set = _Set(lambda tensor, _: None)
        library.llama_log_set(self._log, None)
        library.llama_backend_init()

    def answer(self, order: dict[str, Any]) -> dict[str, Any]:
        self._said.clear()
        library = self.library
        header = library.gguf_init_from_file(order["path"].encode(), _GgufParams(True, None))
        if not header:
            return {"error": "no header"}
        settings = library.llama_model_default_params()
        settings.use_extra_bufts = False
        settings.load_mtp = order.get("ahead", False)
        model = library.llama_model_init_from_user(header, self._set, None, settings)
        library.gguf_free(header)
        if not model:
            return {"error": self._problem()}
        if saved := order.get("save"):
            library.llama_model_save_to_file(model, saved.encode())
        contexts = [self._bytes(model, asked) for asked in order["asked"]]
        library.llama_model_free(model)
        return {"bytes": contexts}

    def _bytes(self, model: int, asked: dict[str, Any]) -> int | str:
        settings = self.library.llama_context_default_params()
        settings.n_ctx = asked["context_tokens"]
        settings.n_seq_max = settings.n_outputs_max = asked["slots"]
        settings.n_batch = settings.n_ubatch = asked["batch_tokens"]
        settings.type_k = settings.type_v = _TYPES[asked["kv_type"]]
        settings.kv_unified = True
        settings.swa_full = False
        settings.n_threads = settings.n_threads_batch = 1
        context = self.library.llama_init_from_model(model, settings)
        if not context:
            return self._problem()
        found = c.create_string_buffer(64)
        self._breakdown(found, context)
        total = sum(_context_bytes(_pointer(c.addressof(found) + 16)))
        self.library.llama_free(context)
        return total

    def _problem(self) -> str:
        lines = [line.strip() for line in self._said if "error" in line or "failed" in line]
        return " ".join(lines)[-300:] or "refused"


def _pointer(address: int) -> int | None:
    return c.c_void_p.from_address(address).value


def _context_bytes(node: int | None) -> list[int]:
    """Of a std::map from a buffer type to bytes of model, context and compute, in libstdc++:
    a node has its colour, parent, left and right before the pair."""
    if node is None:
        return []
    own = c.c_size_t.from_address(node + 48).value
    return [own, *_context_bytes(_pointer(node + 16)), *_context_bytes(_pointer(node + 24))]


def main() -> None:
    engine = Engine()
    for line in sys.stdin:
        print(json.dumps(engine.answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
