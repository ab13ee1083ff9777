"""Runs the sentence encoder that comes with lumbre, in a worker of its own."""

from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

from lumbre.backends.served import Served
from lumbre.backends.wire import Wire
from lumbre.core.backend import Engine, Launch, WorkerSettings
from lumbre.core.model import Manifest

WINDOW_TOKENS = 2048
"""Where the plan names no window: the model has none of its own, and memory grows with a text
(20 kB a token)."""

_TEXTS_AT_A_TIME = 64


class Encoder:
    """USE multilingual v3: 512 numbers for a sentence, on numpy alone."""

    name = "encoder"

    def launch(
        self, manifest: Manifest, files: Mapping[str, Path], settings: WorkerSettings, key: str
    ) -> Launch:
        """The worker of this model. The tokenizer lies beside the weights, if no part names it."""
        weights = files["weights"]
        threads = str(settings.prompt_threads)
        return Launch(
            module="lumbre.workers.encoder",
            settings={
                "path": str(weights),
                "tokenizer": str(files.get("tokenizer", weights.with_name("sp.model"))),
                "key": key,
                "model": manifest.id,
                "context_tokens": settings.context_tokens or WINDOW_TOKENS,
                "threads": settings.prompt_threads,
            },
            environment={
                "OPENBLAS_NUM_THREADS": threads,
                "OMP_NUM_THREADS": threads,
                "MKL_NUM_THREADS": threads,
                "OMP_WAIT_POLICY": "PASSIVE",
                "DO_NOT_TRACK": "1",
            },
        )

    def connect(self, manifest: Manifest, url: str, key: str) -> Engine:
        """An engine that embeds."""
        return EncoderEngine(Wire(manifest.id, url, key))


class EncoderEngine(Served):
    """A worker that turns texts into vectors."""

    async def ready(self) -> None:
        await self.look()
        await self.embed(["."])

    async def alive(self) -> None:
        """Embed one word: a thousandth of a second, and the whole of what it is for."""
        await self.embed(["."])

    async def embed(self, texts: Sequence[str]) -> list["array[float]"]:
        """One unit-length vector per text.

        Raises:
            PromptTooLong: a text over the window; nothing is cut.
        """
        return await self.wire.embed(texts, _TEXTS_AT_A_TIME)


backend = Encoder()
