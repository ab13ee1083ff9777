"""What a household asks for one model, before anyone knows whether it fits."""

from dataclasses import dataclass

from lumbre.core.backend import KvType, LoadMode
from lumbre.core.model import Facts, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One model, how it may be run and how it is used."""

    id: str
    role: Role
    facts: Facts | None
    """Of its GGUF; None for a worker without a formula, which takes `fixed_bytes`."""
    fixed_bytes: int = 0
    """All it holds, where there is no formula."""
    context_tokens: int = 0
    """Wanted; never more than trained for. 0 where it has none."""
    slots: int = 1
    kv_types: tuple[KvType, ...] = ("f16", "q8_0")
    """Allowed, preferred first."""
    load_modes: tuple[LoadMode, ...] = ("mmap", "read")
    extra_buffers: tuple[bool, ...] = (True, False)
    batch_tokens: int = 64
    cache_ram_mib: int = 0
    embeds: bool = False
    eager: bool = False
    """Its manifest asks for it to be resident."""
    idle_s: float = 300.0
    """After so long unused it goes, where it loads on demand."""
    runs_on_cards: bool = True
    """Whether its engine can use them."""
    beside_bytes: int = 0
    """Projector, draft and adapters: whole in the memory of the first device it is on."""
    requests_per_hour: float = 1.0
    prompt_tokens: int = 1000
    """New ones of a usual request."""
    output_tokens: int = 200
    """Of a usual answer."""
    min_context_tokens: int = 0
    """Rather refused than given less; 0: the wished context or nothing."""
