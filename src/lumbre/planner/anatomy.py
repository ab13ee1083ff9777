"""What of a model's file lies in which layer, so that thousands of splits can be weighed."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from lumbre.core.model import Facts, LayerCache, Tensor

_TABLE = "token_embd.weight"
_OUTPUT = "output.weight"
_REPACKED = frozenset({"Q4_0", "Q4_K", "IQ4_NL", "MXFP4"})
_REPACKED_ON_ARM = _REPACKED | {"Q5_K", "Q6_K", "Q8_0", "Q1_0"}
"""Source: llama.cpp ggml/src/ggml-cpu/repack.cpp, ggml_repack_get_optimal_repack_type: its
branches for AVX2, and for NEON with the dot product."""
_ARM = frozenset({"aarch64", "arm64"})
_REMEMBERED = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """Bytes of tensors by place; all in the form the file has them."""

    dense_bytes: tuple[int, ...]
    """Of each layer, without its experts."""
    expert_bytes: tuple[int, ...]
    table_bytes: int
    """The vectors of words, looked up in main memory."""
    output_bytes: int
    """What turns the last layer into words; goes with it."""
    is_tied: bool
    """The table serves as the output: where a card computes, it is there once more."""
    repacked_bytes: tuple[int, int]
    """(table, all else) that a CPU backend rewrites: x86_64."""
    repacked_on_arm_bytes: tuple[int, int]
    widest: int
    """Numbers in the widest row a token becomes: of experts, all that one token visits."""
    caches: tuple[LayerCache, ...]
    chats: bool
    """It says words, also where it is run to embed; what keeps nothing of a talk does not."""

    def repacked(self, architecture: str) -> tuple[int, int]:
        """(table, all else) that the CPU backend of this processor rewrites for speed."""
        on_arm = architecture.lower() in _ARM
        return self.repacked_on_arm_bytes if on_arm else self.repacked_bytes


_known: OrderedDict[int, tuple[Facts, Anatomy]] = OrderedDict()


def anatomy_of(facts: Facts) -> Anatomy:
    """Added up once for the same `facts` object."""
    found = _known.get(id(facts))
    if found is None:
        found = _known[id(facts)] = (facts, _anatomy(facts))
        if len(_known) > _REMEMBERED:
            _known.popitem(last=False)
    return found[1]


def is_expert(tensor: Tensor) -> bool:
    """Source: llama.cpp src/llama-arch.cpp, LLM_TENSOR_FFN_*_EXPS: `blk.N.ffn_up_exps.weight`."""
    return "_exps" in tensor.name


def layer_of(tensor: Tensor) -> int | None:
    """The layer a tensor belongs to; None for tables and outputs."""
    head, _, rest = tensor.name.partition(".")
    number = rest.partition(".")[0]
    return int(number) if head == "blk" and number.isdecimal() else None


def _anatomy(facts: Facts) -> Anatomy:
    dense, experts = [0] * facts.layers, [0] * facts.layers
    table = output = 0
    for tensor in facts.tensors:
        layer = layer_of(tensor)
        if layer is not None and layer < facts.layers:
            (experts if is_expert(tensor) else dense)[layer] += tensor.size_bytes
        elif tensor.name == _TABLE:
            table += tensor.size_bytes
        else:
            output += tensor.size_bytes
    names = {tensor.name for tensor in facts.tensors}
    is_tied = _OUTPUT not in names
    caches = _caches(facts)
    return Anatomy(
        dense_bytes=tuple(dense),
        expert_bytes=tuple(experts),
        table_bytes=table,
        output_bytes=output,
        is_tied=is_tied,
        repacked_bytes=_repacked(facts.tensors, _REPACKED, is_tied=is_tied),
        repacked_on_arm_bytes=_repacked(facts.tensors, _REPACKED_ON_ARM, is_tied=is_tied),
        widest=_widest(facts),
        caches=caches,
        chats="output_norm.weight" in names and any(c.key_width or c.state_bytes for c in caches),
    )


def _repacked(
    tensors: Sequence[Tensor], kinds: frozenset[str], *, is_tied: bool
) -> tuple[int, int]:
    """A table that is only looked up is not rewritten. Eight rows go together.

    Source: repack.cpp, the `ne[1] % 8` of each branch.
    """
    table = others = 0
    for tensor in tensors:
        rows = tensor.shape[1] if len(tensor.shape) > 1 else 1
        if tensor.kind not in kinds or rows % 8:
            continue
        if tensor.name == _TABLE:
            table += tensor.size_bytes if is_tied else 0
        else:
            others += tensor.size_bytes
    return table, others


def _widest(facts: Facts) -> int:
    widest = facts.embedding_length
    for tensor in facts.tensors:
        if tensor.name.startswith("blk.") and len(tensor.shape) > 1:
            visited = max(1, facts.experts_used) if is_expert(tensor) else 1
            widest = max(widest, max(tensor.shape[:2]) * visited)
    return widest


def _caches(facts: Facts) -> tuple[LayerCache, ...]:
    """Where the header was not read that far: plain attention, which is the most there is."""
    plain = LayerCache(
        key_width=facts.kv_heads * facts.key_length, value_width=facts.kv_heads * facts.value_length
    )
    return facts.caches or (plain,) * facts.layers
