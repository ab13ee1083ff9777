"""How long a model takes to answer, by where its layers lie. Pure.

Writing is bounded by the bytes read for each token, reading a prompt by arithmetic;
devices work one after the other. The figures serve to compare places with each other, and are
told to people as estimates.
"""

from dataclasses import dataclass
from itertools import accumulate
from math import exp, prod

from lumbre.core.machine import CPU, Device, DeviceKind, Host
from lumbre.core.model import RESIDENT_ROLES, Facts
from lumbre.core.plan import Choice, Residency
from lumbre.planner.anatomy import anatomy_of, is_expert, layer_of
from lumbre.planner.wish import Wish

READ_BYTES_PER_S: dict[DeviceKind, float] = {
    "cpu": 40e9, "cuda": 300e9, "rocm": 400e9, "metal": 100e9, "vulkan": 200e9,
}  # fmt: skip
"""Where a device does not say. Source: two channels of DDR4-2666 have 42 GB/s and DDR5-5600 90;
a GeForce RTX 2060 has 336, a Radeon RX 6700 XT 384, an Apple M2 100 (their makers' pages)."""
FLOPS: dict[DeviceKind, float] = {
    "cpu": 3e11, "cuda": 20e12, "rocm": 20e12, "metal": 3.5e12, "vulkan": 10e12,
}  # fmt: skip
"""Where a device does not say; of the processor, by core. Source: Qwen2.5 1.5B Q4_K_M read 49
prompt tokens/s on one core (AVX2, xllamacpp b11549) and 94 on two: 1.5e11 useful operations."""
LINK_BYTES_PER_S = 12e9
"""Source: PCIe 3.0 x16 carries 15.75 GB/s, of which copies reach about three quarters."""
DISK_BYTES_PER_S = 1e9
"""Between a SATA disk (0.5) and an NVMe one (3 and more)."""
USEFUL_SHARE = 0.6
"""Of a device's bandwidth. Source: the 1.5B above wrote 22 tokens/s, 25 GB/s where some 40 are
to be had; published runs of llama.cpp on cards lie between 0.5 and 0.7."""
COMPUTE_SHARE = 0.5
"""Of a device's arithmetic while it reads a prompt."""
CROSSING_S = 20e-6
"""For one device to wait for another."""
START_S = 0.5
"""A small model's worker is ready in 0.2 to 0.5 s, measured."""
WITHOUT_COPY_SHARE = 0.885
"""Writing without the CPU's rewritten copies: 18.5 tokens/s of 20.9 (Qwen2.5 1.5B Q4_K_M)."""
OFFLOAD_BATCH_TOKENS = 512
"""With a card, prompts are read so many at a time, and layers of main memory may be computed
on it for each batch. Source: llama.cpp n_ubatch; ggml-cuda.cu, offload_op from 32 on."""


@dataclass(frozen=True, slots=True)
class _Layers:
    """Running sums over layers, the output last: the sum of a range is one difference."""

    dense_bytes: tuple[float, ...]
    expert_bytes: tuple[float, ...]
    cache_bytes: tuple[float, ...]
    dense_flops: tuple[float, ...]
    """For one token."""
    expert_flops: tuple[float, ...]
    """For one token, of the experts it visits."""
    count: int
    """The output included."""
    expert_share: float
    """Experts one token visits, of all."""
    is_rewritten: bool
    crossing_bytes: int
    """One token on its way from a device to the next."""


class Pace:
    """The speed of one wish on one host, for any choice."""

    def __init__(self, wish: Wish, host: Host) -> None:
        self._wish = wish
        self._host = host
        self._layers = _layers_of(wish, host)
        self._read = {d.id: _read_bytes_per_s(d) for d in host.devices}
        self._flops = {d.id: _flops(d, host.cores) for d in host.devices}
        self._link = {d.id: d.link_bytes_per_s or LINK_BYTES_PER_S for d in host.devices}

    @property
    def layers(self) -> int:
        """What can lie on a card: the model's layers, and its output as one more."""
        return self._layers.count

    def token_s(self, choice: Choice) -> float:
        """Seconds to write one token."""
        sums, share, total_s = self._layers, self._layers.expert_share, 0.0
        parts = self._parts(choice)
        for device, begin, kept, end in parts:
            read = sums.dense_bytes[end] - sums.dense_bytes[begin]
            read += sums.cache_bytes[end] - sums.cache_bytes[begin]
            read += share * (sums.expert_bytes[end] - sums.expert_bytes[kept])
            total_s += read / self._read[device]
            if kept > begin:
                moved = share * (sums.expert_bytes[kept] - sums.expert_bytes[begin])
                total_s += moved / self._read[CPU]
                total_s += 2 * (kept - begin) * self._crossing_s(device, 1)
        if not choice.layers and not choice.extra_buffers and sums.is_rewritten:
            total_s /= WITHOUT_COPY_SHARE
        return total_s + sum(self._crossing_s(part[0], 1) for part in parts[1:])

    def prompt_s(self, choice: Choice) -> float:
        """Seconds to read the new tokens of a usual prompt."""
        tokens = self._wish.prompt_tokens
        if not tokens:
            return 0.0
        sums, total_s = self._layers, 0.0
        batch = self._batch_tokens(choice)
        batches = -(-tokens // batch)
        visited = 1 - (1 - sums.expert_share) ** min(batch, tokens)
        parts = self._parts(choice)
        card = choice.layers[0][0] if choice.layers else None
        for device, begin, kept, end in parts:
            flops = sums.dense_flops[end] - sums.dense_flops[begin]
            flops += sums.expert_flops[end] - sums.expert_flops[kept]
            held = sums.dense_bytes[end] - sums.dense_bytes[begin]
            held += visited * (sums.expert_bytes[end] - sums.expert_bytes[kept])
            total_s += self._batches_s(device, tokens * flops, batches * held, card)
            if kept > begin:
                flops = sums.expert_flops[kept] - sums.expert_flops[begin]
                held = visited * (sums.expert_bytes[kept] - sums.expert_bytes[begin])
                total_s += self._batches_s(CPU, tokens * flops, batches * held, card)
                total_s += 2 * (kept - begin) * self._crossing_s(device, tokens)
        return total_s + sum(self._crossing_s(part[0], tokens) for part in parts[1:])

    def answer_s(self, choice: Choice) -> float:
        """Seconds from a usual question to the end of its answer, once loaded."""
        written = 0 if self._wish.embeds else self._wish.output_tokens
        return self.prompt_s(choice) + written * self.token_s(choice)

    def load_s(self, weights_bytes: int, card_weights_bytes: int) -> float:
        """Seconds until a worker answers its first question."""
        disk = self._host.disk_bytes_per_s or DISK_BYTES_PER_S
        link = min((self._link[d.id] for d in self._host.cards), default=LINK_BYTES_PER_S)
        return START_S + weights_bytes / disk + card_weights_bytes / link

    def _parts(self, choice: Choice) -> list[tuple[str, int, int, int]]:
        """(device, first layer, first with its experts there too, after the last), in the
        order they are computed: the first layers in main memory, the last on cards."""
        begin = max(0, self._layers.count - choice.card_layers)
        kept = begin + choice.expert_layers_on_cpu
        parts = [(CPU, 0, 0, begin)] if begin else []
        for device, count in choice.layers:
            end = min(self._layers.count, begin + count)
            if end > begin:
                parts.append((device, begin, min(max(begin, kept), end), end))
            begin = end
        return parts

    def _batches_s(self, device: str, flops: float, held: float, card: str | None) -> float:
        """Arithmetic or memory, whichever takes longer; where a card computes what main memory
        holds, the way there."""
        here_s = max(flops / self._flops[device], held / self._read[device])
        if device != CPU or card is None:
            return here_s
        return min(here_s, held / self._link[card] + flops / self._flops[card])

    def _batch_tokens(self, choice: Choice) -> int:
        if self._wish.embeds:
            return max(1, self._wish.prompt_tokens)
        least = OFFLOAD_BATCH_TOKENS if choice.layers else 1
        return max(least, self._wish.batch_tokens)

    def _crossing_s(self, device: str, tokens: int) -> float:
        return CROSSING_S + tokens * self._layers.crossing_bytes / self._link[device]


def absence(wish: Wish, residency: Residency, share: float = 1.0) -> float:
    """The probability that a request finds its model not loaded.

    `share` is the model's part of the requests to its shared slot. Requests come at random
    (a Poisson process): the gap before one is longer than t with probability exp(-rate x t).
    """
    stays = wish.eager or wish.role in RESIDENT_ROLES
    there = 1.0 if stays else 1 - exp(-requests_per_hour(wish) * wish.idle_s / 3600)
    return 1 - there * (share if residency == "shared_slot" else 1.0)


def requests_per_hour(wish: Wish) -> float:
    """Never quite zero: what nobody asks for still lies somewhere."""
    return max(wish.requests_per_hour, 1e-3)


def _read_bytes_per_s(device: Device) -> float:
    return USEFUL_SHARE * (device.bandwidth_bytes_per_s or READ_BYTES_PER_S[device.kind])


def _flops(device: Device, cores: int) -> float:
    usual = FLOPS[device.kind] * (max(1, cores) if device.kind == "cpu" else 1)
    return COMPUTE_SHARE * (device.compute_flops or usual)


def _layers_of(wish: Wish, host: Host) -> _Layers:
    if wish.facts is None:
        whole, nothing = (0.0, float(wish.fixed_bytes)), (0.0, 0.0)
        return _Layers(whole, nothing, nothing, whole, nothing, 1, 1.0, False, 0)
    facts = wish.facts
    anatomy = anatomy_of(facts)
    dense, experts = _flops_by_layer(facts)
    share = facts.experts_used / facts.experts if facts.experts else 1.0
    tokens = wish.prompt_tokens + wish.output_tokens // 2
    caches = [
        2.0 * (c.key_width + c.value_width) * min(tokens, c.window_tokens or tokens) + c.state_bytes
        for c in anatomy.caches[: facts.layers]
    ]
    said = anatomy.output_bytes + (anatomy.table_bytes if anatomy.is_tied else 0)
    return _Layers(
        dense_bytes=_sums([*anatomy.dense_bytes, 0 if wish.embeds else said]),
        expert_bytes=_sums([*anatomy.expert_bytes, 0]),
        cache_bytes=_sums([*caches, *[0.0] * (facts.layers - len(caches)), 0]),
        dense_flops=_sums(dense),
        expert_flops=_sums([share * flops for flops in experts]),
        count=facts.layers + 1,
        expert_share=share,
        is_rewritten=sum(anatomy.repacked(host.architecture)) > 0,
        crossing_bytes=4 * facts.embedding_length,
    )


def _flops_by_layer(facts: Facts) -> tuple[list[float], list[float]]:
    """A multiplication and an addition for each number of a matrix; the output is needed for
    the last token of a prompt only, and is left out."""
    dense, experts = [0.0] * (facts.layers + 1), [0.0] * (facts.layers + 1)
    for tensor in facts.tensors:
        layer = layer_of(tensor)
        if layer is not None and layer < facts.layers:
            (experts if is_expert(tensor) else dense)[layer] += 2.0 * prod(tensor.shape)
    return dense, experts


def _sums(values: list[int] | list[float]) -> tuple[float, ...]:
    return tuple(accumulate(values, initial=0.0))
