"""What a GGUF file says about its model, without loading it."""

from collections import Counter
from pathlib import Path

from lumbre.core.errors import BadWeights
from lumbre.core.model import Facts, Tensor
from lumbre.formats.gguf_header import Header, read_header
from lumbre.formats.gguf_kinds import KINDS, QUANTS
from lumbre.formats.gguf_reader import Array, bad_weights

__all__ = ["Array", "Header", "bad_weights", "facts_of", "read_facts", "read_header"]

_LARGEST = 2**32 - 1
"""Source: llama.cpp reads these values as uint32."""
_GUESSED = 1024
"""Source: LLAMA_FTYPE_GUESSED of llama.h, a mark on a type its converter did not know."""
_NO_TYPE = 2**32


def read_facts(path: Path) -> Facts:
    """The numbers of a language or embedding model, from its header alone.

    Raises:
        BadWeights: the header cannot be believed, or is not of such a model.
    """
    return facts_of(read_header(path), path)


def facts_of(header: Header, path: Path) -> Facts:
    """The facts of a header that was read from `path`.

    Raises:
        BadWeights: a value is missing or cannot be.
    """
    said = _Said(header, path)
    architecture = said.text("general.architecture")
    if not architecture:
        raise said.missing("general.architecture")
    layers = said.count(f"{architecture}.block_count")
    embedding_length = said.count(f"{architecture}.embedding_length")
    heads_by_layer = said.by_layer(f"{architecture}.attention.head_count", layers)
    heads = max(heads_by_layer, default=0)
    kv_heads_by_layer = said.by_layer(
        f"{architecture}.attention.head_count_kv", layers, default=heads_by_layer
    )
    # Source: llama.cpp, llama_model::load_hparams: a head is the embedding shared out.
    of_a_head = embedding_length // heads if heads else 0
    return Facts(
        architecture=architecture,
        name=said.text("general.name") or "",
        quant=_quant(said.count("general.file_type", default=_NO_TYPE), header.tensors),
        layers=layers,
        embedding_length=embedding_length,
        heads=heads,
        kv_heads=max(kv_heads_by_layer, default=0),
        kv_heads_by_layer=kv_heads_by_layer if len(set(kv_heads_by_layer)) > 1 else (),
        key_length=said.count(f"{architecture}.attention.key_length", default=of_a_head),
        value_length=said.count(f"{architecture}.attention.value_length", default=of_a_head),
        context_length=said.count(f"{architecture}.context_length"),
        vocabulary=said.vocabulary(architecture),
        chat_template=said.text("tokenizer.chat_template"),
        tensors=header.tensors,
        file_bytes=header.file_bytes,
    )


class _Said:
    """A header's values by key, each held to what it has to be."""

    def __init__(self, header: Header, path: Path) -> None:
        self._metadata = header.metadata
        self._path = path

    def missing(self, key: str) -> BadWeights:
        return bad_weights(self._path, "missing", what=key)

    def text(self, key: str) -> str | None:
        value = self._metadata.get(key)
        if value is not None and not isinstance(value, str):
            raise self._wrong(key, value)
        return value

    def count(self, key: str, *, default: int | None = None) -> int:
        value = self._metadata.get(key)
        if value is not None:
            return self._whole(key, value)
        if default is None:
            raise self.missing(key)
        return default

    def by_layer(
        self, key: str, layers: int, *, default: tuple[int, ...] | None = None
    ) -> tuple[int, ...]:
        """One value for each layer, or a single one for all of them."""
        value = self._metadata.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, Array):
            return (self.count(key),)
        if value.items is None or value.count != layers:
            raise self._wrong(key, value)
        return tuple(self._whole(key, item) for item in value.items)

    def vocabulary(self, architecture: str) -> int:
        tokens = self._metadata.get("tokenizer.ggml.tokens")
        if isinstance(tokens, Array):
            return tokens.count
        return self.count(f"{architecture}.vocab_size", default=0)

    def _whole(self, key: str, value: object) -> int:
        if type(value) is not int or not 0 <= value <= _LARGEST:
            raise self._wrong(key, value)
        return value

    def _wrong(self, key: str, value: object) -> BadWeights:
        shown = f"[{value.count}]" if isinstance(value, Array) else str(value)
        return bad_weights(self._path, "wrong_value", what=key, value=shown)


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
