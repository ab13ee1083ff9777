"""The models of a household as a person sees them and works them by hand: load, unload, pin."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from lumbre.config import Config
from lumbre.core.errors import ModelPinned
from lumbre.core.machine import CPU, Host
from lumbre.core.model import Manifest
from lumbre.hardware.usage import pss_bytes
from lumbre.planning import this_machine_of
from lumbre.pool.lease import View
from lumbre.runtime import Runtime
from lumbre.server import looks

Event = dict[str, Any]


class Models:
    """What `lumbre ps`, `top`, `load`, `unload` and `pin` are answered from."""

    def __init__(self, config: Config, runtime: Runtime) -> None:
        self._config = config
        self._runtime = runtime
        self._pool = runtime.pool
        self._opened = time.monotonic()
        self._host: Host | None = None

    @property
    def uptime_s(self) -> float:
        """Since the household opened."""
        return time.monotonic() - self._opened

    async def ps(self) -> Event:
        """Who runs, with memory as measured now."""
        await self._pool.look()
        views = await self._runtime.views()
        devices = looks.budgets_told(self._pool.devices(), views)
        return self._told(views) | {
            "models": [self._model(view) for view in views],
            "devices": devices,
            "budget_bytes": sum(device["budget_bytes"] for device in devices),
        }

    async def top(self) -> Event:
        """The same, and what is going on: memory of every device, who waits, who had to go."""
        if self._host is None:
            self._host = await asyncio.to_thread(this_machine_of, self._config)
        await self._pool.look()
        views = await self._runtime.views()
        private = {CPU: await asyncio.to_thread(self._pool.held_bytes)}
        waiting, now = self._pool.queue(), time.monotonic()
        devices = looks.memory_told(self._pool.devices(), views, self._host, private)
        tempo = self._runtime.tempo
        models = [
            self._model(view)
            | looks.workings_told(view, waiting, tempo.tokens_per_s(view.model, now))
            for view in views
        ]
        return self._told(views) | {
            "models": models,
            "devices": devices,
            "queue": looks.queue_told(waiting),
            "evictions": looks.evictions_told(tuple(self._pool.past), now),
            "cooling": looks.cooling_told(self._pool.resting()),
            "budget_bytes": sum(device["budget_bytes"] for device in devices),
        }

    async def load(
        self, wanted: Sequence[Manifest], *, insists: bool = False
    ) -> AsyncGenerator[Event]:
        """One after the other; `insists`: also what failed a moment ago."""
        for manifest in wanted:
            yield {"event": "phase", "name": "loading", "model": manifest.id}
            was_loaded = self._pool.is_ready(manifest.id)
            load_s = await self._runtime.load(manifest, insists=insists)
            yield {
                "event": "loaded",
                "model": manifest.id,
                "load_s": load_s,
                "was_loaded": was_loaded,
                **await self._lies(manifest.id),
            }
        yield {"event": "done"}

    async def unload(self, model: str) -> AsyncGenerator[Event]:
        """End a model's worker once its answers are finished, also if nobody waits for that.

        Raises:
            UnknownModel: nothing is called so.
            ModelPinned: it is to stay loaded.
        """
        pool = self._pool
        if model in pool.pinned:
            raise ModelPinned(model=model)
        view = await self._view(model)
        if view is None:
            self._runtime.registry.get(model)
            yield _unloaded(was_loaded=False)
            return
        await pool.look()
        before = {device.id: device.available_bytes for device in pool.devices()}
        yield {"event": "unloading", "model": model, "leases": view.leases}
        await pool.unload(model)
        freed_bytes = sum(
            max(0, min(device.available_bytes - before.get(device.id, 0), held_bytes))
            for device in pool.devices()
            if (held_bytes := view.measured.get(device.id, 0))
        )
        yield _unloaded(
            was_loaded=True,
            is_wanted=pool.is_loaded(model),
            held_bytes=view.held_bytes,
            freed_bytes=freed_bytes,
        )

    def pin(self, model: str, *, is_pinned: bool) -> Event:
        """Keep a model once it is loaded, or no longer; the setting is the command's affair.

        Raises:
            UnknownModel: nothing is called so.
        """
        if is_pinned:
            self._runtime.registry.get(model)
        self._pool.pin(model, is_pinned=is_pinned)
        return {"pinned": sorted(self._pool.pinned), "is_loaded": self._pool.is_loaded(model)}

    def _told(self, views: Sequence[View]) -> Event:
        return {
            "household": {
                "pid": os.getpid(),
                "uptime_s": round(self.uptime_s, 1),
                "measured_bytes": pss_bytes(os.getpid()),
            },
            "total_bytes": sum(view.held_bytes for view in views),
        }

    def _model(self, view: View) -> Event:
        return looks.model_told(view, self._pool.counters.loads.get(view.model, 0))

    async def _view(self, model: str) -> View | None:
        return next((view for view in await self._runtime.views() if view.model == model), None)

    async def _lies(self, model: str) -> Event:
        """Where a model lies, and how much of it there is."""
        view = await self._view(model)
        return {
            "device": view.device if view else CPU,  # gone already
            "planned_bytes": view.need_bytes if view else 0,
            "measured_bytes": view.held_bytes if view else 0,
        }


def _unloaded(
    *, was_loaded: bool, is_wanted: bool = False, held_bytes: int = 0, freed_bytes: int = 0
) -> Event:
    """The last event of unloading.

    `is_wanted`: it loads again, for somebody waits for it. `freed_bytes`: by how much what the
    system has to give was seen to grow, at most what the model held.
    """
    return {
        "event": "done",
        "was_loaded": was_loaded,
        "is_wanted": is_wanted,
        "held_bytes": held_bytes,
        "freed_bytes": freed_bytes,
    }
