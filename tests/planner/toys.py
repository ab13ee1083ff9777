"""Households small enough to try every way of running them, with bytes that are easy to add up."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, product

from hypothesis import strategies as st

from lumbre.core.machine import CPU, Device, Host
from lumbre.core.model import RESIDENT_ROLES, Facts, Role, Tensor
from lumbre.core.plan import Basis, Choice, Footprint, Placement, Plan
from lumbre.planner.speed import Pace, absence, requests_per_hour
from lumbre.planner.wish import Wish

MIB, GIB = 2**20, 2**30
PROCESS_BYTES = 10 * MIB
CARD_BYTES = 20 * MIB


def facts(
    layers: int = 3,
    *,
    layer_mib: int = 100,
    outside_mib: int = 50,
    experts: int = 0,
    kv_heads: int = 4,
    context_length: int = 8192,
    quant: str = "Q4_K_M",
) -> Facts:
    """A model whose layers weigh the same; with experts, nine tenths of each are theirs."""
    own, shared = (layer_mib * 9 // 10, layer_mib - layer_mib * 9 // 10) if experts else (0, 0)
    tensors = [
        Tensor("token_embd.weight", (64, 1000), "Q4_K", 0, outside_mib * MIB),
        Tensor("output.weight", (64, 1000), "Q4_K", 0, outside_mib * MIB),
    ]
    for layer in range(layers):
        dense = (shared if experts else layer_mib) * MIB
        tensors.append(Tensor(f"blk.{layer}.w.weight", (8, dense // 5), "Q4_K", 0, dense))
        if experts:
            shape = (8, own * MIB // 5 // experts, experts)
            tensors.append(Tensor(f"blk.{layer}.w_exps.weight", shape, "Q4_K", 0, own * MIB))
    return Facts(
        architecture="llama", name="toy", quant=quant, layers=layers, embedding_length=64,
        heads=kv_heads, kv_heads=kv_heads, key_length=128, value_length=128,
        context_length=context_length, vocabulary=1000, chat_template=None,
        tensors=tuple(tensors), file_bytes=sum(t.size_bytes for t in tensors),
        experts=experts, experts_used=2 if experts else 0,
    )  # fmt: skip


def estimate(wish: Wish, choice: Choice, host: Host) -> tuple[tuple[Placement, ...], Basis]:
    """The last layers on the cards in their order, the output with the last of them."""
    shape = wish.facts
    if shape is None:
        fixed = Footprint(weights_bytes=wish.fixed_bytes)
        return (Placement(CPU, 0, fixed),), "formula"
    weights = [0] * (shape.layers + 1)
    own = [0] * (shape.layers + 1)
    for tensor in shape.tensors:
        if tensor.name.startswith("blk."):
            number = int(tensor.name.split(".")[1])
            (own if "_exps" in tensor.name else weights)[number] += tensor.size_bytes
        elif tensor.name == "output.weight":
            weights[-1] += tensor.size_bytes
    element = 2.0 if choice.kv_type == "f16" else 34 / 32
    width = shape.kv_heads * (shape.key_length + shape.value_length)
    cache = [round(width * choice.context_tokens * element)] * shape.layers + [0]
    table = sum(t.size_bytes for t in shape.tensors if t.name == "token_embd.weight")
    begin = shape.layers + 1 - choice.card_layers
    parts = {CPU: range(begin)}
    for device, count in choice.layers:
        parts[device] = range(begin, begin + count)
        begin += count
    kept = range(
        shape.layers + 1 - choice.card_layers,
        shape.layers + 1 - choice.card_layers + choice.expert_layers_on_cpu,
    )
    placements = []
    for device, numbers in parts.items():
        held = sum(weights[n] for n in numbers)
        if device == CPU:
            held += table + sum(own[n] for n in numbers) + sum(own[n] for n in kept)
        else:
            held += sum(own[n] for n in numbers if n not in kept)
        is_copied = device == CPU and not choice.layers and choice.extra_buffers
        placements.append(
            Placement(
                device,
                len(numbers),
                Footprint(
                    weights_bytes=held,
                    repack_bytes=held // 2 if is_copied and choice.load_mode == "mmap" else 0,
                    kv_bytes=sum(cache[n] for n in numbers),
                    overhead_bytes=PROCESS_BYTES if device == CPU else CARD_BYTES,
                ),
            )
        )
    return tuple(placements), "formula"


def host(*cards: tuple[float, float], name: str = "toy", ram_bytes: int = 64 * GIB) -> Host:
    """Cards as (bytes read per second, arithmetic per second)."""
    devices = [
        Device(
            id=CPU, kind="cpu", name="processor", total_bytes=ram_bytes, free_bytes=ram_bytes,
            bandwidth_bytes_per_s=50e9, compute_flops=1e12,
        )
    ]  # fmt: skip
    devices += [
        Device(
            id=f"gpu{number}", kind="cuda", name="card", total_bytes=64 * GIB,
            free_bytes=64 * GIB, bandwidth_bytes_per_s=bandwidth, compute_flops=flops,
            link_bytes_per_s=12e9,
        )
        for number, (bandwidth, flops) in enumerate(cards)
    ]  # fmt: skip
    return Host(
        name=name, devices=tuple(devices), cores=8, architecture="x86_64",
        disk_bytes_per_s=2e9, is_described=True,
    )  # fmt: skip


FAST, SLOW = (900e9, 80e12), (300e9, 20e12)


def taken(plan: Plan, wishes: Sequence[Wish]) -> dict[str, int]:
    """Bytes of each device that the plan's models take together, computed anew."""
    by_id = {wish.id: wish for wish in wishes}
    alone: dict[str, int] = {}
    slots: dict[str, dict[str, int]] = {}
    for planned in plan.models:
        for placement in estimate(by_id[planned.id], planned.choice, plan.host)[0]:
            size = placement.footprint.total_bytes
            if planned.slot:
                slot = slots.setdefault(placement.device, {})
                slot[planned.slot] = max(slot.get(planned.slot, 0), size)
            else:
                alone[placement.device] = alone.get(placement.device, 0) + size
    return {
        device.id: alone.get(device.id, 0) + sum(slots.get(device.id, {}).values())
        for device in plan.host.devices
    }


class Exhaustive:
    """Every way there is, tried."""

    def __init__(self, machine: Host, limits: Mapping[str, int]) -> None:
        self.host = machine
        self.room = tuple(limits.get(device.id, 0) for device in machine.devices)

    def placed(self, wishes: Sequence[Wish]) -> tuple[tuple[Wish, ...], bool]:
        """Who gets a place by rights, and whether a primary model takes turns for it."""
        found: tuple[Wish, ...] = ()
        lends = False
        for wish in sorted(wishes, key=_rights):
            if self.least_s((*found, wish), lends=lends) is not None:
                found = (*found, wish)
            elif not lends and self.least_s((*found, wish), lends=True) is not None:
                found, lends = (*found, wish), True
        return found, lends

    def least_s(self, wishes: Sequence[Wish], *, lends: bool) -> float | None:
        """The least expected seconds in an hour, of all ways; None where nothing fits.

        A primary model takes turns only where nothing fits without.
        """
        for lending in (False, True) if lends else (False,):
            able = [n for n, wish in enumerate(wishes) if _may_take_turns(wish, lends=lending)]
            found = [
                self._least_with(wishes, frozenset(turns))
                for count in (0, *range(2, len(able) + 1))
                for turns in combinations(able, count)
            ]
            if any(seconds is not None for seconds in found):
                return min(seconds for seconds in found if seconds is not None)
        return None

    def _least_with(self, wishes: Sequence[Wish], turns: frozenset[int]) -> float | None:
        slot_rate = sum(requests_per_hour(wishes[n]) for n in turns)
        ways: list[list[tuple[float, tuple[int, ...]]]] = []
        for number, wish in enumerate(wishes):
            share = requests_per_hour(wish) / slot_rate if number in turns else 1.0
            absent = absence(wish, "shared_slot" if number in turns else "on_demand", share)
            ways.append(_least_of(self._ways(wish, absent)))
        states = {((0,) * len(self.room), (0,) * len(self.room)): 0.0}
        for number, mine in enumerate(ways):
            following: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}
            for (used, slot), cost in states.items():
                for more, sizes in mine:
                    if number in turns:
                        key = (used, tuple(map(max, slot, sizes)))
                    else:
                        key = (tuple(map(int.__add__, used, sizes)), slot)
                    if all(a + b <= c for a, b, c in zip(*key, self.room, strict=True)):
                        following[key] = min(following.get(key, 1e99), cost + more)
            states = following
        return min(states.values(), default=None)

    def _ways(self, wish: Wish, absent: float) -> Iterator[tuple[float, tuple[int, ...]]]:
        pace, place = (
            Pace(wish, self.host),
            {device.id: n for n, device in enumerate(self.host.devices)},
        )
        for choice in choices(wish, self.host):
            placements, _ = estimate(wish, choice, self.host)
            sizes = [0] * len(place)
            weights = card_weights = 0
            for placement in placements:
                sizes[place[placement.device]] += placement.footprint.total_bytes
                weights += placement.footprint.weights_bytes
                if placement.device != CPU:
                    card_weights += placement.footprint.weights_bytes
            seconds = pace.answer_s(choice) + absent * pace.load_s(weights, card_weights)
            yield requests_per_hour(wish) * seconds, tuple(sizes)


def choices(wish: Wish, machine: Host) -> Iterator[Choice]:
    """Every way to run one model with the context it wishes."""
    splits: list[tuple[tuple[str, int], ...]] = [()]
    if wish.runs_on_cards and wish.facts:
        every = wish.facts.layers + 1
        for counts in product(range(every + 1), repeat=len(machine.cards)):
            if 0 < sum(counts) <= every:
                cards = zip(machine.cards, counts, strict=True)
                splits.append(tuple((card.id, count) for card, count in cards if count))
    for split, kv, mode, extra in product(
        splits, wish.kv_types, wish.load_modes, wish.extra_buffers
    ):
        base = Choice(
            context_tokens=wish.context_tokens, slots=wish.slots, kv_type=kv, load_mode=mode,
            extra_buffers=extra, layers=split,
        )  # fmt: skip
        yield base
        if split and wish.facts and wish.facts.experts:
            for kept in range(1, min(wish.facts.layers, base.card_layers) + 1):
                yield replace(base, expert_layers_on_cpu=kept)


def _least_of(
    ways: Iterable[tuple[float, tuple[int, ...]]],
) -> list[tuple[float, tuple[int, ...]]]:
    """Without those that cost more and take no less."""
    kept: list[tuple[float, tuple[int, ...]]] = []
    for cost, sizes in sorted(ways):
        if not any(all(a <= b for a, b in zip(other, sizes, strict=True)) for _, other in kept):
            kept.append((cost, sizes))
    return kept


def _rights(wish: Wish) -> tuple[int, float, str]:
    if wish.role in RESIDENT_ROLES:
        return 0, RESIDENT_ROLES.index(wish.role), wish.id
    return (1, 0, wish.id) if wish.role == "primary" else (2, -requests_per_hour(wish), wish.id)


def _may_take_turns(wish: Wish, *, lends: bool) -> bool:
    if wish.role in RESIDENT_ROLES:
        return False
    return lends if wish.role == "primary" else not wish.eager


ROLES: tuple[Role, ...] = ("primary", "secondary", "lightweight", "embedding", "router", "stt")
machines = st.sampled_from([host(), host(FAST), host(FAST), host(SLOW, FAST), host(FAST, SLOW)])


@st.composite
def wish_of(draw: st.DrawFn, number: int = 0) -> Wish:
    role = draw(st.sampled_from(ROLES))
    shape = facts(
        draw(st.integers(1, 4)),
        layer_mib=draw(st.sampled_from([20, 100, 200])),
        outside_mib=draw(st.sampled_from([5, 50])),
        experts=draw(st.sampled_from([0, 0, 8])),
    )
    return Wish(
        id=f"m{number}",
        role=role,
        facts=None if role == "stt" else shape,
        fixed_bytes=draw(st.sampled_from([50 * MIB, 300 * MIB])) if role == "stt" else 0,
        context_tokens=draw(st.sampled_from([512, 4096])),
        kv_types=draw(st.sampled_from([("f16",), ("f16", "q8_0")])),
        embeds=role == "embedding",
        eager=role == "primary" or draw(st.integers(0, 4)) == 0,
        runs_on_cards=draw(st.integers(0, 3)) > 0,
        requests_per_hour=draw(st.sampled_from([0.5, 4.0, 20.0])),
        prompt_tokens=draw(st.sampled_from([50, 1000])),
    )


@st.composite
def households(draw: st.DrawFn, most: int = 3) -> tuple[Wish, ...]:
    return tuple(
        draw(wish_of(number))
        for number in range(draw(st.sampled_from([0, *[1] * 2, *range(2, most + 1)])))
    )


@st.composite
def limits_of(draw: st.DrawFn, machine: Host) -> dict[str, int]:
    return {
        device.id: draw(st.integers(0, 3000 if device.id == CPU else 1200)) * MIB
        for device in machine.devices
    }
