"""How many bytes a worker will hold on each device, from the header's numbers alone. Pure.

It serves models that are not here yet, devices that cannot be asked, and as the check on
the engine's own dry run. It errs upwards; `lumbre.planner.estimate` puts better figures
in its place where there are some.
"""

from lumbre.core.machine import CPU, Host
from lumbre.core.model import Facts
from lumbre.core.plan import Choice, Footprint, Placement
from lumbre.planner.anatomy import anatomy_of
from lumbre.planner.caches import checkpoint_bytes, layer_cache_bytes, padded_tokens
from lumbre.planner.wish import Wish

MIB = 2**20
_PROCESS_BYTES = 39 * MIB
_BYTES_PER_WORD = 450
_SLOT_BYTES_PER_WORD = 16
"""Source of the three: PSS of workers with every slot full less their buffers, measured with
xllamacpp b11549 in the cells of benchmarks/memory.py: 49 MiB at a vocabulary of 49,152, 92
at 151,936, and 16 bytes a word more for each slot (what a token is worth, and sampling); 10 MiB
added: more or fewer pages of the engine's library are mapped, by what the system has at hand."""
WITHOUT_FORMULA_BYTES = 100 * MIB
"""Beside its files, of a worker of which nothing else is known."""
_CARD_BYTES = {"cuda": 450 * MIB, "rocm": 450 * MIB, "vulkan": 300 * MIB, "metal": 100 * MIB}
"""What a process takes on a card before the first tensor. Source: up to about 450 MiB for each
CUDA process and device, as users of llama.cpp report; the others were not measured and are
taken as generously."""
_BESIDE_CARDS_BYTES = 500 * MIB
"""In main memory, of a process that uses cards: their libraries and staging. Not measured."""
CARD_BATCH_TOKENS = 512
"""Prompt tokens read at a time where a card computes. Source: llama.cpp's default n_ubatch."""


def formula(wish: Wish, choice: Choice, host: Host) -> tuple[Placement, ...]:
    """Bytes on main memory, which comes first, and on each card the choice puts layers on."""
    facts = wish.facts
    if facts is None:
        return (Placement(CPU, 0, Footprint(weights_bytes=wish.fixed_bytes)),)
    anatomy = anatomy_of(facts)
    held = layers_by_device(facts, choice)
    weights = weights_by_device(facts, choice)
    context_tokens = choice.context_tokens or facts.context_length
    caches = layer_cache_bytes(
        anatomy.caches,
        context_tokens=context_tokens,
        slots=choice.slots,
        batch_tokens=batch_tokens(wish, choice),
        kv_type=choice.kv_type,
    )
    first = choice.layers[0][0] if choice.layers else CPU
    computing = compute_bytes(wish, choice)
    placements = []
    for device, layers in held.items():
        is_card = device != CPU
        standing = (
            _CARD_BYTES[host.device(device).kind] if is_card else overhead_bytes(wish, choice)
        )
        footprint = Footprint(
            weights_bytes=weights[device],
            repack_bytes=0 if is_card else copied_bytes(facts, choice, host.architecture),
            kv_bytes=sum(caches[layers.start : min(layers.stop, len(caches))]),
            compute_bytes=computing,
            overhead_bytes=standing + (wish.beside_bytes if device == first else 0),
        )
        count = min(layers.stop, facts.layers) - min(layers.start, facts.layers)
        placements.append(Placement(device, count, footprint))
    return tuple(placements)


def overhead_bytes(wish: Wish, choice: Choice) -> int:
    """Of the process itself: code, vocabulary, what its slots and its settings keep."""
    vocabulary = wish.facts.vocabulary if wish.facts else 0
    process_bytes = _PROCESS_BYTES + (_BESIDE_CARDS_BYTES if choice.layers else 0)
    standing_bytes = process_bytes + _BYTES_PER_WORD * vocabulary
    return standing_bytes + slots_bytes(wish, choice) + kept_bytes(wish, choice)


def slots_bytes(wish: Wish, choice: Choice) -> int:
    """What slots take beside the cache that all of them share."""
    return _SLOT_BYTES_PER_WORD * wish.facts.vocabulary * choice.slots if wish.facts else 0


def kept_bytes(wish: Wish, choice: Choice) -> int:
    """What a worker may come to keep of talks: checkpoints, the prompt cache."""
    if wish.facts is None:
        return 0
    checkpoints = checkpoint_bytes(
        anatomy_of(wish.facts).caches,
        context_tokens=choice.context_tokens or wish.facts.context_length,
        slots=choice.slots,
        kv_type=choice.kv_type,
    )
    return checkpoints + wish.cache_ram_mib * MIB


def batch_tokens(wish: Wish, choice: Choice) -> int:
    """Prompt tokens read at a time. An embedder reads a text in one batch or not at all."""
    if wish.embeds:
        return choice.context_tokens or (wish.facts.context_length if wish.facts else 0)
    return max(wish.batch_tokens, CARD_BATCH_TOKENS) if choice.layers else wish.batch_tokens


def compute_bytes(wish: Wish, choice: Choice) -> int:
    """4 x batch x (2 x widest + 12 x embedding) + 2 x batch x context + what a token says of words.

    Source: the engine's dry run on SmolLM2, Qwen2.5 0.5B and 1.5B at batches of 64 and 512 and
    contexts to 32,768 asks for 7.5 to 11 times the embedding; an embedder keeps what every
    token says of every word, twice (measured: 560 MiB where 209 were expected without).
    """
    facts = wish.facts
    if facts is None:
        return 0
    anatomy = anatomy_of(facts)
    context_tokens = padded_tokens(choice.context_tokens or facts.context_length)
    batch = min(batch_tokens(wish, choice), context_tokens)
    per_token = 4 * (2 * anatomy.widest + 12 * facts.embedding_length) + 2 * context_tokens
    tokens_told = 2 * batch if wish.embeds and anatomy.chats else choice.slots
    return batch * per_token + 4 * facts.vocabulary * tokens_told


def copied_bytes(facts: Facts, choice: Choice, architecture: str) -> int:
    """Bytes that stand in memory twice because the CPU backend rewrites them for speed.

    A mapped file stays whole beside the copy of its matrices; a file that is read keeps
    none of them twice. A table of words that is multiplied with as well (no matrix of
    output) is needed in both forms either way. With layers on a card the rest lies in
    buffers the card can read, and is not rewritten.
    Source: llama.cpp src/llama-model.cpp, make_cpu_buft_list: GPU host before CPU extra.
    """
    if not choice.extra_buffers or choice.layers:
        return 0
    table, others = anatomy_of(facts).repacked(architecture)
    return table + (others if choice.load_mode == "mmap" else 0)


def weights_by_device(facts: Facts, choice: Choice) -> dict[str, int]:
    """Bytes of tensors on each device; main memory is always among them.

    The table of words stays in main memory; the output goes with the last layer, and a
    table that serves as the output is there once more.
    Source: llama.cpp src/llama-model.cpp, load_tensors: dev_input is the CPU.
    """
    anatomy = anatomy_of(facts)
    held = layers_by_device(facts, choice)
    shares = {CPU: anatomy.table_bytes}
    for device, layers in held.items():
        last = min(layers.stop, facts.layers)
        share = sum(anatomy.dense_bytes[layers.start : last])
        share += sum(anatomy.expert_bytes[layers.start : last])
        if facts.layers in layers:
            share += anatomy.output_bytes
            share += anatomy.table_bytes if anatomy.is_tied and device != CPU else 0
        shares[device] = shares.get(device, 0) + share
    begin = held[CPU].stop
    for layer in range(begin, min(begin + choice.expert_layers_on_cpu, facts.layers)):
        device = next(d for d, layers in held.items() if layer in layers)
        shares[device] -= anatomy.expert_bytes[layer]
        shares[CPU] += anatomy.expert_bytes[layer]
    return shares


def layers_by_device(facts: Facts, choice: Choice) -> dict[str, range]:
    """Which layers each device has, main memory first; the output is number `facts.layers`.

    Source: llama.cpp src/llama-model.cpp, load_tensors: i_gpu_start = n_layer + 1 -
    n_gpu_layers; the output counts as one more layer and goes with the last card.
    """
    every = facts.layers + 1
    begin = max(0, every - choice.card_layers)
    held = {CPU: range(begin)}
    for device, count in choice.layers:
        held[device] = range(begin, min(every, begin + count))
        begin = held[device].stop
    return held
