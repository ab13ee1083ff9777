"""Runs GGUF models with a llama-server program of the person's, each in a worker of its own.

The same llama.cpp that comes with lumbre, in another build: one for graphics cards, or one
made for this processor. It speaks the same dialect, so its engines are `llama_cpp`'s.
"""

from collections.abc import Mapping
from pathlib import Path

from lumbre.backends import llama_cpp
from lumbre.core.backend import Engine, Launch, WorkerSettings
from lumbre.core.model import Manifest


class LlamaServer:
    """llama.cpp's server as a program."""

    name = "llama_server"

    def launch(
        self, manifest: Manifest, files: Mapping[str, Path], settings: WorkerSettings, key: str
    ) -> Launch:
        """The worker of this model, and in it the program `settings.engine_path`."""
        return Launch(
            module="lumbre.workers.llama_server",
            settings=llama_cpp.orders(manifest, files, settings, key),
            environment=llama_cpp.environment(settings),
        )

    def connect(self, manifest: Manifest, url: str, key: str) -> Engine:
        """An engine that chats, or one that embeds, as the manifest's role says."""
        return llama_cpp.backend.connect(manifest, url, key)


backend = LlamaServer()
