"""A home whose models are all SmolLM2, under several ids, in several roles."""

import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from lumbre.config import Config, load
from lumbre.core.machine import Host
from lumbre.core.model import Capability, Manifest, Role
from lumbre.planning import this_machine_of
from lumbre.registry.add import manifest_from_file
from lumbre.registry.manifest import save_manifest
from lumbre.runtime import Runtime
from lumbre.store import Store
from lumbre.triggers import Triggers

MakeHome = Callable[..., Config]


@pytest.fixture(scope="session")
def described(smollm2: Path) -> Manifest:
    """SmolLM2 as `models add` would write it."""
    return manifest_from_file(smollm2, "primary", model_id="main")


@pytest.fixture(scope="session")
def asked(described: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that knows already what the engine says of these weights."""
    config = written(tmp_path_factory.mktemp("asked"), (described, light(described)))
    with closing(Store(config.folders.database)) as store:
        runtime = Runtime(config, store)
        host = this_machine_of(config)
        runtime.planning.plan(runtime.planning.wanted(host), host)
        copy = config.folders.home / "copy.db"
        store.copy(copy)
    return copy


@pytest.fixture
def make_home(home: Path, described: Manifest, asked: Path) -> MakeHome:
    """Write a primary `main` and these models, and read the settings."""

    def make(*others: Manifest, **settings: str) -> Config:
        config = written(home, (described, *others), **settings)
        if not config.folders.database.exists():
            shutil.copyfile(asked, config.folders.database)
        return config

    return make


def written(home: Path, models: Sequence[Manifest], **settings: str) -> Config:
    flags = {key.replace("__", "."): value for key, value in settings.items()}
    flags |= {"worker.prompt_threads": "1", "llm.primary.context_length": "2048"}
    config = load({"LUMBRE_HOME": str(home)}, flags)
    config.folders.make()
    for manifest in models:
        save_manifest(manifest, config.folders.registry / f"{manifest.id}.yaml")
    return config


def light(described: Manifest) -> Manifest:
    return replace(described, id="light", role="lightweight")


@pytest.fixture
def model(described: Manifest) -> Callable[..., Manifest]:
    """The same weights under another id."""

    def made(name: str, role: Role, *can: Capability, idle_s: float | None = None) -> Manifest:
        capabilities: tuple[Capability, ...] = ("chat", *can)
        return replace(
            described, id=name, role=role, capabilities=capabilities, idle_unload_seconds=idle_s
        )

    return made


@asynccontextmanager
async def opened(
    config: Config, machine: Callable[[], Host] | None = None
) -> AsyncIterator[tuple[Runtime, Triggers]]:
    """A runtime and its triggers, as a household holds them."""
    store = Store(config.folders.database)
    runtime = Runtime(config, store, machine)
    triggers = Triggers(runtime, store)
    try:
        yield runtime, triggers
    finally:
        await triggers.close()
        await runtime.close()
        store.close()
