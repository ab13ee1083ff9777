"""What a GGUF file says about its model, without loading it."""

from collections import Counter
from pathlib import Path

from lumbre.core.model import Facts, Tensor
from lumbre.formats.gguf_architectures import ARCHITECTURES, PROJECTOR
from lumbre.formats.gguf_caches import Heads, caches_of
from lumbre.formats.gguf_header import Header, header_from, read_header
from lumbre.formats.gguf_kinds import KINDS, QUANTS
from lumbre.formats.gguf_reader import Array, bad_weights
from lumbre.formats.gguf_said import Said

__all__ = [
    "Array", "Header", "bad_weights", "facts_of", "header_from", "read_facts", "read_header",
]  # fmt: skip

_MOST_LAYERS = 512
"""Source: LLAMA_MAX_LAYERS of src/llama-hparams.h, llama.cpp."""
_GUESSED = 1024
"""Source: LLAMA_FTYPE_GUESSED of llama.h, a mark on a type its converter did not know."""
_NO_TYPE = 2**32


def read_facts(path: Path) -> Facts:
    """The numbers of a language or embedding model, from its header alone.

    Raises:
        BadWeights: the header cannot be believed, or is not of such a model.
    """
    return facts_of(read_header(path), path)


def facts_of(header: Header, path: Path | str) -> Facts:
    """The facts of a header that was read from `path`.

    Raises:
        BadWeights: a value is missing or cannot be, or no engine here knows its architecture.
    """
    every = Said(header.metadata, path)
    architecture = every.text("general.architecture")
    if not architecture:
        raise every.bad("missing", what="general.architecture")
    if architecture == PROJECTOR:
        raise every.bad("projector")
    if (kind := ARCHITECTURES.get(architecture)) is None:
        raise every.bad("unknown_architecture", architecture=architecture)
    said = every.of(architecture)
    layers = said.count("block_count")
    if layers > _MOST_LAYERS:
        raise every.bad("wrong_value", what=f"{architecture}.block_count", value=str(layers))
    embedding_length = said.count("embedding_length")
    # A model without attention may name no heads.
    no_heads = (0,) if kind.recurrent == "every" else None
    heads_by_layer = said.by_layer("attention.head_count", layers, default=no_heads)
    kv_heads_by_layer = said.by_layer("attention.head_count_kv", layers, default=heads_by_layer)
    # Source: llama.cpp, llama_model::load_hparams: a head is the embedding shared out.
    fewest = min((count for count in heads_by_layer if count), default=0)
    of_a_head = embedding_length // fewest if fewest else 0
    key_length = said.count("attention.key_length", default=of_a_head)
    value_length = said.count("attention.value_length", default=of_a_head)
    heads = Heads(
        embedding=embedding_length,
        counts=heads_by_layer,
        kv=kv_heads_by_layer * layers if len(kv_heads_by_layer) == 1 else kv_heads_by_layer,
        key_length=key_length,
        value_length=value_length,
    )
    return Facts(
        architecture=architecture,
        name=every.text("general.name") or "",
        quant=_quant(every.count("general.file_type", default=_NO_TYPE), header.tensors),
        layers=layers,
        embedding_length=embedding_length,
        heads=max(heads_by_layer, default=0),
        kv_heads=max(kv_heads_by_layer, default=0),
        kv_heads_by_layer=kv_heads_by_layer if len(set(kv_heads_by_layer)) > 1 else (),
        key_length=key_length,
        value_length=value_length,
        context_length=said.count("context_length"),
        vocabulary=_vocabulary(every, said),
        chat_template=every.text("tokenizer.chat_template"),
        tensors=header.tensors,
        file_bytes=header.file_bytes,
        caches=caches_of(said, kind, layers, heads),
        experts=said.count("expert_count", default=0),
        experts_used=max(said.by_layer("expert_used_count", layers, default=(0,)), default=0),
    )


def _vocabulary(every: Said, said: Said) -> int:
    tokens = every.length("tokenizer.ggml.tokens")
    return said.count("vocab_size", default=0) if tokens is None else tokens


def _quant(file_type: int, tensors: tuple[Tensor, ...]) -> str:
    """The name of the mix, else the kind that holds most of the numbers."""
    if named := QUANTS.get(file_type & ~_GUESSED):
        return named
    blocks = {kind.name: kind for kind in KINDS.values()}
    numbers: Counter[str] = Counter()
    for tensor in tensors:
        kind = blocks[tensor.kind]
        numbers[tensor.kind] += tensor.size_bytes // kind.block_bytes * kind.block
    return numbers.most_common(1)[0][0] if numbers else "unknown"
