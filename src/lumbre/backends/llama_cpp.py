"""Runs GGUF models with llama.cpp, each in a worker of its own."""

from array import array
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from lumbre.backends import cards
from lumbre.backends.served import Served
from lumbre.backends.wire import Wire
from lumbre.core.backend import CONTEXT_CHECKPOINTS, Engine, Launch, WorkerSettings
from lumbre.core.errors import EngineRefused, WorkerFailed
from lumbre.core.generation import ChatRequest, Delta, Finish, PromptProgress, Usage
from lumbre.core.messages import Message
from lumbre.core.model import Manifest
from lumbre.workers.environment import QUIET_LLAMA

CONTEXT_TOKENS = 512
"""Where neither plan nor manifest names a context."""
_TEXTS_AT_A_TIME = 16
_ANY_TOKEN = 1
"""Every vocabulary has one of this number."""
_FINISHES: Mapping[str, Finish] = {"stop": "stop", "length": "length", "tool_calls": "stop"}


class LlamaCpp:
    """llama.cpp's server, compiled into xllamacpp."""

    name = "llama_cpp"

    def launch(
        self, manifest: Manifest, files: Mapping[str, Path], settings: WorkerSettings, key: str
    ) -> Launch:
        """The worker of this model."""
        return Launch(
            module="lumbre.workers.llama",
            settings=orders(manifest, files, settings, key),
            environment=environment(settings),
        )

    def connect(self, manifest: Manifest, url: str, key: str) -> Engine:
        """An engine that chats, or one that embeds, as the manifest's role says."""
        wire = Wire(manifest.id, url, key)
        if is_embedder(manifest):
            return EmbeddingEngine(wire)
        adapters = any(file.part == "adapter" for file in manifest.weights)
        return ChatEngine(wire, adapters=1 if adapters else 0)


def orders(
    manifest: Manifest, files: Mapping[str, Path], settings: WorkerSettings, key: str
) -> Mapping[str, object]:
    """What a worker with llama.cpp in it is told, whichever build that is."""
    embeds = is_embedder(manifest)
    context_tokens = settings.context_tokens or manifest.context_length or CONTEXT_TOKENS
    return {
        "path": str(files["weights"]),
        "projector": str(files.get("projector", "")),
        "key": key,
        "engine_path": settings.engine_path,
        "context_tokens": context_tokens,
        "slots": settings.slots,
        "prompt_threads": settings.prompt_threads,
        "generation_threads": settings.generation_threads,
        "load_mode": settings.load_mode,
        "extra_buffers": settings.extra_buffers,
        "cache_ram_mib": settings.cache_ram_mib,
        "checkpoints": CONTEXT_CHECKPOINTS,
        "kv_type": settings.kv_type,
        "devices": list(settings.devices),
        "gpu_layers": settings.gpu_layers,
        "tensor_split": list(settings.tensor_split),
        "expert_layers_on_cpu": settings.expert_layers_on_cpu,
        "adapters": [str(files["adapter"])] if "adapter" in files else [],
        "states_folder": settings.states_folder,
        "warm_up": settings.warm_up,
        "embedding": embeds,
        # an embedder reads a text in one batch or not at all
        "batch_tokens": context_tokens if embeds else settings.batch_tokens,
    }


def environment(settings: WorkerSettings) -> Mapping[str, str]:
    """What such a worker is started with beside what every child inherits."""
    return {**QUIET_LLAMA, **cards.environment(settings.devices, settings.card_uuids)}


class LlamaEngine(Served):
    """A worker with llama.cpp's server in it."""

    async def alive(self) -> None:
        """Ask for the adapters, which only the inference loop can tell, between two batches.

        /health and /props are answered by an HTTP thread whatever the loop does, and /slots
        also in the middle of a batch, so of a batch that hangs as well.
        Source: measured in b11549 and b11669 during one batch of eleven seconds.
        """
        await self.wire.prove("/lora-adapters")


class ChatEngine(LlamaEngine):
    """A worker that continues a talk."""

    def __init__(self, wire: Wire, adapters: int = 0) -> None:
        super().__init__(wire)
        self._lora = [{"id": index, "scale": 1.0} for index in range(adapters)]
        self._scaled: set[int] = set()
        """Slots that have their adapters on: the first request with them empties a slot."""

    async def ready(self) -> None:
        """One token after one other: written by the threads that write, so that whoever answers
        on the other cores meanwhile waits for nothing. A greeting through the chat template
        would be read by all of them, and take longer than the rest of a small model's start.
        """
        await self.look()
        body: dict[str, object] = {
            "prompt": [_ANY_TOKEN],
            "max_tokens": 1,
            "temperature": 0.0,
            "stream": True,
            "stream_options": {"include_usage": True},
            "cache_prompt": False,
        }
        if self._lora:
            body["lora"] = self._lora
        tokens = 0
        async with aclosing(self.wire.stream("/v1/completions", body)) as events:
            async for event in events:
                if event.get("usage"):
                    tokens = _usage(event["usage"]).output_tokens
        if tokens < 1:
            raise EngineRefused(model=self.wire.model, reason="no token came")

    async def _hello(self, slot: int | None = None) -> int:
        """The tokens that come for next to nothing: one."""
        hello = ChatRequest((Message("user", "."),), 1, temperature=0.0, slot=slot)
        tokens = 0
        async with aclosing(self.chat(hello)) as deltas:
            async for delta in deltas:
                tokens = delta.usage.output_tokens if delta.usage else tokens
        return tokens

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """Always a stream: a request that is not one runs to its end even when nobody waits.

        While a prompt is read the engine notices that the caller is gone only where it
        writes, hence `return_progress`.
        """
        finish: Finish | None = None
        usage: Usage | None = None
        async with aclosing(
            self.wire.stream("/v1/chat/completions", self._body(request))
        ) as events:
            async for event in events:
                if progress := event.get("prompt_progress"):
                    yield Delta(progress=_progress(progress))
                if event.get("usage"):
                    usage = _usage(event["usage"])
                for choice in event.get("choices", ()):
                    if text := choice["delta"].get("content"):
                        yield Delta(text=text)
                    if choice.get("finish_reason"):
                        finish = _FINISHES.get(choice["finish_reason"], "stop")
        if finish is None:
            raise WorkerFailed(model=self.wire.model, reason="an answer without an end", log="")
        yield Delta(finish=finish, usage=usage)

    async def save(self, slot: int, name: str) -> int:
        answer = await self._slot(slot, "save", {"filename": name})
        return int(answer["n_saved"])

    async def restore(self, slot: int, name: str) -> int:
        if self._lora and slot not in self._scaled:
            await self._hello(slot)
        answer = await self._slot(slot, "restore", {"filename": name})
        return int(answer["n_restored"])

    async def erase(self, slot: int) -> None:
        await self._slot(slot, "erase", {})

    async def _slot(self, slot: int, action: str, body: Mapping[str, object]) -> dict[str, Any]:
        return await self.wire.post(f"/slots/{slot}?action={action}", body)

    async def count(self, messages: Sequence[Message]) -> int:
        body = {"messages": _messages(messages)}
        answer = await self.wire.post("/v1/chat/completions/input_tokens", body)
        return int(answer["input_tokens"])

    def _body(self, request: ChatRequest) -> dict[str, object]:
        body: dict[str, object] = {
            "messages": _messages(request.messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,
            "max_tokens": request.max_output_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "cache_prompt": True,
        }
        if request.slot is not None:
            body["id_slot"] = request.slot
            self._scaled.add(request.slot)
        if request.seed is not None:
            body["seed"] = request.seed
        if request.stop:
            body["stop"] = list(request.stop)
        if self._lora:  # never left out: llama.cpp #26207 would reuse another adapter's cache
            body["lora"] = self._lora
        return body


class EmbeddingEngine(LlamaEngine):
    """A worker that turns texts into vectors."""

    async def ready(self) -> None:
        await self.look()
        await self.embed(["."])

    async def embed(self, texts: Sequence[str]) -> list["array[float]"]:
        """One unit-length vector per text: the mean over its tokens.

        Raises:
            PromptTooLong: a text over the window; nothing is cut.
        """
        return await self.wire.embed(texts, _TEXTS_AT_A_TIME)


def is_embedder(manifest: Manifest) -> bool:
    """Whether a GGUF is loaded to embed: it then does not chat."""
    return manifest.role == "embedding" or manifest.embedding is True


def _messages(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.text} for message in messages]


def _usage(counts: Mapping[str, Any]) -> Usage:
    details = counts.get("prompt_tokens_details") or {}
    return Usage(
        prompt_tokens=int(counts["prompt_tokens"]),
        cached_tokens=int(details.get("cached_tokens", 0)),
        output_tokens=int(counts["completion_tokens"]),
    )


def _progress(counts: Mapping[str, Any]) -> PromptProgress:
    return PromptProgress(read_tokens=int(counts["processed"]), total_tokens=int(counts["total"]))


backend = LlamaCpp()
