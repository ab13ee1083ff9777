"""A worker's orders as the arguments of llama-server, whichever release of it."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lumbre.workers.placement import experts_on_cpu

_FLAG = re.compile(r"(?:^|[\s,])(--?[A-Za-z][A-Za-z0-9-]*)")
_HELP_COLUMN = 40
"""Where the explanations begin. Source: llama.cpp common/arg.cpp, `to_string`, b11669."""


class FlagMissing(Exception):
    """This release of llama-server cannot be told something it has to be."""


def known_flags(help_text: str) -> frozenset[str]:
    """Every flag that `llama-server --help` names, short and long."""
    heads = [
        line[:_HELP_COLUMN] if line[_HELP_COLUMN - 1 : _HELP_COLUMN] == " " else line
        for line in help_text.splitlines()
        if line.startswith("-") and not line.startswith("-----")
    ]
    return frozenset(flag for head in heads for flag in _FLAG.findall(head))


def flags(
    settings: Mapping[str, Any],
    *,
    key_path: str,
    cards: Sequence[str] = (),
    known: Collection[str] | None = None,
) -> list[str]:
    """The arguments, model and key included; the key itself is not among them.

    `cards` are the names this build gives the devices of the settings, in their order.
    `known` are the flags it has (None: all): of several ways to say a thing the first it
    knows is taken, and what only newer releases need to be told is left out of older ones.

    Raises:
        FlagMissing: something has to be said, and there is no way to.
    """

    def may(*ways: tuple[str, ...]) -> list[str]:
        return next((list(way) for way in ways if known is None or way[0] in known), [])

    def must(*ways: tuple[str, ...]) -> list[str]:
        found = may(*ways)
        if not found:
            raise FlagMissing(ways[0][0])
        return found

    batch = str(settings["batch_tokens"])
    told = [
        *must(("--model", settings["path"])),
        *must(("--host", "127.0.0.1")),
        *must(("--port", "0")),
        *must(("--api-key-file", key_path)),
        *must(("--ctx-size", str(settings["context_tokens"]))),
        *must(("--parallel", str(settings["slots"]))),
        *must(("--batch-size", batch)),
        *must(("--ubatch-size", batch)),
        *must(("--threads", str(settings["generation_threads"]))),
        *must(("--threads-batch", str(settings["prompt_threads"]))),
        *must(("--cache-type-k", settings["kv_type"])),
        *must(("--cache-type-v", settings["kv_type"])),
        *must(("--jinja",)),
        *may(("--kv-unified",)),
        *may(("--cache-ram", str(settings["cache_ram_mib"]))),
        *may(
            ("--ctx-checkpoints", str(settings["checkpoints"])),
            ("--swa-checkpoints", str(settings["checkpoints"])),
        ),
        *may(("--fit", "off")),  # the plan decides what fits
        *may(("--no-context-shift",)),  # nothing is cut in silence
        *may(("--offline",)),
        *may(("--warmup",) if settings["warm_up"] else ("--no-warmup",)),
        *may(("--no-ui",), ("--no-webui",)),
        *may(("--cors-origins", "")),
        *may(("--slots",)),
        *may(("--verbosity", "2")),  # warnings and errors, as the built-in one
    ]
    if settings["cache_ram_mib"] == 0:
        told += may(("--no-cache-idle-slots",))
    if settings["states_folder"]:
        told += may(("--slot-save-path", settings["states_folder"]))
    if settings["load_mode"] == "read":
        told += must(("--load-mode", "none"), ("--no-mmap",))
    else:
        told += may(("--load-mode", "mmap"))
    if not settings["extra_buffers"]:
        told += must(("--no-repack",))
    told += _placed(settings, cards, must)
    if settings["projector"]:
        told += must(("--mmproj", settings["projector"]))
        if not settings["devices"]:
            told += must(("--no-mmproj-offload",))
    if settings["adapters"]:
        scaled = ",".join(f"{path}:0.0" for path in settings["adapters"])
        told += must(("--lora-scaled", scaled))
    if settings["embedding"]:
        told += [*must(("--embedding",), ("--embeddings",)), *must(("--pooling", "mean"))]
    return told


def _placed(settings: Mapping[str, Any], cards: Sequence[str], must: Any) -> list[str]:
    """Which layers go where."""
    if not settings["devices"]:
        return [*must(("--device", "none")), *must(("--n-gpu-layers", "0"))]
    told = [
        *must(("--device", ",".join(cards))),
        *must(("--n-gpu-layers", str(settings["gpu_layers"]))),
        *must(("--split-mode", "layer")),
        *must(("--main-gpu", "0")),
    ]
    if len(settings["tensor_split"]) > 1:
        told += must(("--tensor-split", ",".join(map(str, settings["tensor_split"]))))
    if layers := settings["expert_layers_on_cpu"]:
        told += must(
            ("--n-cpu-moe", str(layers)),
            ("--override-tensor", experts_on_cpu(layers)),
        )
    return told
