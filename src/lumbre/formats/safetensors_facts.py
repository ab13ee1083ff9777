"""What safetensors files and the config.json beside them say about their model."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from lumbre.core.model import Facts, LayerCache, Tensor
from lumbre.formats.gguf_reader import bad_weights
from lumbre.formats.json_pieces import Malformed, Pieces, whole
from lumbre.formats.ranged import local
from lumbre.formats.safetensors import read_header

INDEX_ENDING = ".safetensors.index.json"
_CONFIG = "config.json"
_MOST_CONFIG_BYTES = 1 << 20
_MOST_INDEX_BYTES = 64 << 20
_MOST_FILES = 4096
_MOST_METADATA_CHARACTERS = 1 << 16
_LARGEST = 2**32 - 1
_MOST_LAYERS = 4096
_NAMES = {
    "layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
    "embedding": ("hidden_size", "n_embd", "d_model", "dim"),
    "heads": ("num_attention_heads", "n_head", "num_heads", "n_heads"),
    "kv_heads": ("num_key_value_heads", "multi_query_group_num", "n_head_kv", "num_kv_heads"),
    "head": ("head_dim", "d_kv"),
    "context": ("max_position_embeddings", "n_positions", "max_sequence_length", "n_ctx"),
    "vocabulary": ("vocab_size",),
    "experts": ("num_local_experts", "num_experts", "n_routed_experts"),
    "experts_used": ("num_experts_per_tok", "num_experts_per_token", "moe_topk"),
}
"""Source: attribute_map and the configuration classes of transformers, by model."""


def read_facts(path: Path) -> Facts:
    """The numbers of a model in one safetensors file, or in those that an index names.

    What only a configuration says is 0 without one.

    Raises:
        BadWeights: a header, the index or the configuration cannot be believed.
    """
    paths = _shards(path) if path.name.endswith(INDEX_ENDING) else {path: None}
    tensors: list[Tensor] = []
    file_bytes = 0
    for file, names in paths.items():
        header = read_header(file)
        if names is not None and (odd := names ^ {tensor.name for tensor in header.tensors}):
            raise bad_weights(path, "safetensors.other_names", file=file.name, what=min(odd))
        tensors += header.tensors
        file_bytes += header.file_bytes
    config = _Config(path.parent / _CONFIG)
    layers = config.count("layers", most=_MOST_LAYERS)
    heads = config.count("heads")
    kv_heads = config.count("kv_heads", default=heads)
    embedding = config.count("embedding")
    head = config.count("head", default=embedding // heads if heads else 0)
    # Windows and what is latent depend on who runs it: all of a talk is the most there is.
    cache = LayerCache(key_width=kv_heads * head, value_width=kv_heads * head)
    return Facts(
        architecture=config.architecture(),
        name=config.text("_name_or_path"),
        quant=_quant(tensors),
        layers=layers,
        embedding_length=embedding,
        heads=heads,
        kv_heads=kv_heads,
        key_length=head,
        value_length=head,
        context_length=config.count("context"),
        vocabulary=config.count("vocabulary"),
        chat_template=None,
        tensors=tuple(tensors),
        file_bytes=file_bytes,
        caches=(cache,) * layers,
        experts=config.count("experts"),
        experts_used=config.count("experts_used"),
    )


def _shards(path: Path) -> dict[Path, set[str] | None]:
    """The files of an index, each with the tensors it should hold."""
    try:
        weight_map = _weight_map(Pieces(_read(path, _MOST_INDEX_BYTES)), path)
    except Malformed as error:
        place = error.place
        raise bad_weights(path, "safetensors.not_json", what=path.name, place=place) from error
    if not weight_map:
        raise bad_weights(path, "missing", what="weight_map")
    shards: dict[Path, set[str] | None] = {}
    for tensor, file in weight_map.items():
        name = PurePosixPath(file)
        if name.name != file or not file.endswith(".safetensors") or "\\" in file:
            raise bad_weights(path, "wrong_value", what=tensor, value=file)
        names = shards.setdefault(path.parent / file, set())
        assert names is not None
        names.add(tensor)
        if len(shards) > _MOST_FILES:
            raise bad_weights(path, "too_large", what="weight_map", count=len(shards))
    return shards


def _weight_map(pieces: Pieces, path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    seen: set[str] = set()
    for key in pieces.object_keys():
        if key in seen:
            raise bad_weights(path, "twice", what=key)
        seen.add(key)
        if key != "weight_map":
            pieces.value(_MOST_METADATA_CHARACTERS)
            continue
        for tensor in pieces.object_keys():
            if tensor in found:
                raise bad_weights(path, "twice", what=tensor)
            found[tensor] = pieces.text()
    pieces.end()
    return found


def _read(path: Path, most_bytes: int) -> str:
    with local(path) as file:
        if file.size_bytes > most_bytes:
            raise bad_weights(path, "too_large", what=path.name, count=file.size_bytes)
        data = file.read(0, most_bytes)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise bad_weights(path, "not_text", what=path.name) from error


class _Config:
    """The configuration beside the weights; one that is not there says nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: Mapping[str, Any] = self._loaded() if path.is_file() else {}
        inner = self._values.get("text_config")
        # A model that sees has its talking part described apart.
        self._said = {**self._values, **inner} if isinstance(inner, dict) else self._values

    def _loaded(self) -> Mapping[str, Any]:
        try:
            values = whole(_read(self._path, _MOST_CONFIG_BYTES))
        except Malformed as error:
            place = error.place
            raise bad_weights(
                self._path, "safetensors.not_json", what=_CONFIG, place=place
            ) from error
        if not isinstance(values, dict):
            raise bad_weights(self._path, "wrong_value", what=_CONFIG, value=str(values)[:99])
        return values

    def count(self, what: str, *, default: int = 0, most: int = _LARGEST) -> int:
        """A number under any of its names; null is as good as nothing."""
        for name in _NAMES[what]:
            value = self._said.get(name)
            if value is None:
                continue
            if type(value) is not int or not 0 <= value <= most:
                raise bad_weights(self._path, "wrong_value", what=name, value=str(value)[:99])
            return value
        return default

    def text(self, name: str) -> str:
        value = self._values.get(name)
        return value if isinstance(value, str) else ""

    def architecture(self) -> str:
        """As transformers names it: model_type, else the first of `architectures`."""
        named = self._values.get("architectures")
        first = named[0] if isinstance(named, list) and named else None
        return self.text("model_type") or (first if isinstance(first, str) else "")


def _quant(tensors: list[Tensor]) -> str:
    """The kind that holds most bytes."""
    held: Counter[str] = Counter()
    for tensor in tensors:
        held[tensor.kind] += tensor.size_bytes
    return held.most_common(1)[0][0] if held else "unknown"
