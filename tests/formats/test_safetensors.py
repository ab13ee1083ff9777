"""What safetensors files say is read as it stands; a lie, a cut or damage raises BadWeights."""

import json
import struct
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lumbre.core.errors import BadWeights
from lumbre.core.model import Facts, LayerCache
from lumbre.formats.safetensors import BITS, header_from, read_header
from lumbre.formats.safetensors_facts import read_facts
from lumbre.registry.sources import Patience
from lumbre.registry.sources._distant import Distant
from lumbre.registry.sources._web import Ask
from lumbre.words import LANGUAGES, sentences
from tests.registry.places import Site, plain_website

MOST_BYTES = 4 << 20
"""What reading any of these small files may take."""


def entry(kind: str, shape: list[int], begin: int, end: int) -> dict[str, object]:
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


GOOD_HEADER: dict[str, Any] = {
    "__metadata__": {"format": "pt"},
    "embed": entry("BF16", [3, 4], 0, 24),
    "out": entry("F32", [2], 24, 32),
}


def written(header: Mapping[str, Any] | str | bytes, data_bytes: int = 32, **lie: int) -> bytes:
    """A whole file; `length` is what it claims of its header."""
    if isinstance(header, Mapping):
        header = json.dumps(header)
    text = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", lie.get("length", len(text))) + text + bytes(data_bytes)


GOOD = written(GOOD_HEADER)
CONFIG = {
    "architectures": ["SomeForCausalLM"], "model_type": "some", "num_hidden_layers": 2,
    "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 99,
    "max_position_embeddings": 128,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("safetensors")


def attempt(path: Path) -> Facts | BadWeights:
    tracemalloc.start()
    try:
        return read_facts(path)
    except BadWeights as error:
        return error
    finally:
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak_bytes < MOST_BYTES


def put(folder: Path, data: bytes) -> Path:
    path = folder / "model.safetensors"
    path.write_bytes(data)
    return path


def sharded(folder: Path, index: object, **files: bytes) -> Path:
    for name, data in files.items():
        (folder / f"{name}.safetensors").write_bytes(data)
    path = folder / "model.safetensors.index.json"
    path.write_text(index if isinstance(index, str) else json.dumps(index))
    return path


def test_a_header_is_read_as_it_stands(folder: Path) -> None:
    header = read_header(put(folder, GOOD))
    assert header.metadata == {"format": "pt"}
    embed, out = header.tensors
    assert (embed.name, embed.kind, embed.shape, embed.size_bytes) == ("embed", "BF16", (3, 4), 24)
    assert embed.offset_bytes == header.data_start_bytes
    assert out.offset_bytes + out.size_bytes == header.file_bytes == len(GOOD)


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"a": entry("F32", [0, 7], 0, 0)},
        {"a": entry("U8", [], 0, 1)},
        {"__metadata__": {}},
        {"__metadata__": None},
    ],
    ids=["nothing", "an empty tensor", "a single number", "only metadata", "no metadata"],
)
def test_little_may_be_said(folder: Path, header: dict[str, Any]) -> None:
    read_header(put(folder, written(header, 1 if header.get("a", {}).get("dtype") == "U8" else 0)))


@pytest.mark.parametrize("kind", BITS)
def test_every_kind_has_its_size(folder: Path, kind: str) -> None:
    size = BITS[kind]  # of eight numbers, in bytes
    header = read_header(put(folder, written({"a": entry(kind, [2, 4], 0, size)}, size)))
    assert header.tensors[0].size_bytes == size


def test_the_order_of_the_bytes_is_not_that_of_the_names(folder: Path) -> None:
    header = {"b": entry("U8", [3], 2, 5), "a": entry("U8", [2], 0, 2)}
    tensors = read_header(put(folder, written(header, 5))).tensors
    assert [tensor.name for tensor in tensors] == ["a", "b"]


def test_a_header_may_end_in_spaces(folder: Path) -> None:
    assert read_header(put(folder, written(json.dumps(GOOD_HEADER) + "   "))).tensors


def test_a_header_from_afar_is_the_header_at_hand(folder: Path) -> None:
    large = written({"a": entry("F32", [1 << 20], 0, 4 << 20)}, 4 << 20)
    site = Site(large)
    with plain_website(site) as url:
        header = header_from(Distant(url, Ask(url), len(large), Patience()), url)
    assert header == read_header(put(folder, large))
    assert site.sent_bytes < 1 << 20


def test_the_configuration_beside_it_tells_the_rest(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    facts = read_facts(put(tmp_path, GOOD))
    assert (facts.architecture, facts.layers, facts.heads, facts.kv_heads) == ("some", 2, 4, 2)
    assert (facts.key_length, facts.vocabulary, facts.context_length) == (16, 99, 128)
    assert facts.caches == (LayerCache(key_width=32, value_width=32),) * 2
    assert (facts.quant, facts.file_bytes) == ("BF16", len(GOOD))


def test_without_a_configuration_only_the_tensors_are_known(tmp_path: Path) -> None:
    facts = read_facts(put(tmp_path, GOOD))
    assert (facts.architecture, facts.layers, facts.caches) == ("", 0, ())
    assert len(facts.tensors) == 2


def test_other_names_for_the_same_and_a_part_that_talks(tmp_path: Path) -> None:
    inner = {"n_layer": 3, "n_embd": 8, "n_head": 2, "head_dim": 6, "num_local_experts": 4,
             "num_experts_per_tok": 2, "num_key_value_heads": None}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "eyes", "text_config": inner}))
    facts = read_facts(put(tmp_path, GOOD))
    assert (facts.layers, facts.embedding_length, facts.kv_heads, facts.key_length) == (3, 8, 2, 6)
    assert (facts.architecture, facts.experts, facts.experts_used) == ("eyes", 4, 2)


def test_a_model_in_several_files_is_one(tmp_path: Path) -> None:
    one = written({"a": entry("F32", [1], 0, 4)}, 4)
    two = written({"b": entry("F16", [8], 0, 16)}, 16)
    index = {
        "metadata": {"total_size": 20},
        "weight_map": {"a": "one.safetensors", "b": "two.safetensors"},
    }
    facts = read_facts(sharded(tmp_path, index, one=one, two=two))
    assert {tensor.name for tensor in facts.tensors} == {"a", "b"}
    assert (facts.file_bytes, facts.quant) == (len(one) + len(two), "F16")


DEEP = "[" * 100_000
LIES: dict[str, tuple[bytes, str]] = {
    "an empty file": (b"", "middle of its header"),
    "another beginning": (written("[]", 0), "does not begin as"),
    "a header longer than the file": (written(GOOD_HEADER, 0, length=2**20), "download is not"),
    "a header of no size at all": (written(GOOD_HEADER, length=2**63), "header: 922337203685477"),
    "a header beyond the limit": (written(GOOD_HEADER, length=100_000_001), "more than any model"),
    "an empty header": (written("", 0), "does not begin as"),
    "not UTF-8": (written(b'{"\xff": 1}'), "header is not text"),
    "not JSON": (written("{hello}"), "header cannot be read from character 1"),
    "cut JSON": (written('{"a": {"dtype": "F32"'), "from character 6"),
    "something behind it": (written("{} x", 0), "from character 3"),
    "a list at the end": (written("{},", 0), "from character 2"),
    "no comma": (written('{"__metadata__": {} "a": 1}'), "from character 20"),
    "deep JSON": (written('{"a": ' + DEEP), "from character 6"),
    "deep metadata": (written('{"__metadata__": ' + DEEP), "from character 17"),
    "metadata that is no text": (written('{"__metadata__": {"a": 1}}'), "from character 23"),
    "half a letter": (written('{"\\ud800": 1}'), "cannot be read from character"),
    "a number that is none": (written('{"a": NaN}'), "from character 6"),
    "a number too long": (written('{"a": ' + "9" * 5000 + "}"), "from character 6"),
    "a key twice": (
        written('{"a": {"dtype":"U8","shape":[0],"data_offsets":[0,0]}, "a": 1}', 0), "a stands"
    ),
    "a field twice": (written('{"a": {"dtype":"U8","dtype":"U8"}}'), "from character 6"),
    "metadata twice": (written('{"__metadata__": {}, "__metadata__": {}}'), "__metadata__ stands"),
    "a word of metadata twice": (written('{"__metadata__": {"a":"","a":""}}'), "a stands there"),
    "an entry that is a number": (written({"a": 7}), "a cannot be 7"),
    "an entry without kind": (written({"a": {}}), "a is of kind None"),
    "a kind that does not exist": (written({"a": entry("Q4", [1], 0, 1)}), "a is of kind Q4"),
    "a kind that is a list": (written({"a": entry([], [1], 0, 1)}), "a is of kind"),  # type: ignore[arg-type]
    "a shape below zero": (written({"a": entry("U8", [-1], 0, 1)}), "a cannot be"),
    "a shape of yes": (written({"a": entry("U8", [True], 0, 1)}), "a cannot be"),
    "half a number of rows": (written({"a": entry("U8", [1.5], 0, 1)}), "a cannot be"),  # type: ignore[list-item]
    "a shape of 2^63": (written({"a": entry("U8", [2**63], 0, 1)}), "a cannot be"),
    "three offsets": (
        written({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1, 2]}}), "a cannot be"
    ),
    "a shape that overflows": (written({"a": entry("U8", [2**62] * 9, 0, 1)}), "a has 1 B"),
    "another size than its shape": (written({"a": entry("F32", [8], 0, 31)}), "31 B .* 32 B"),
    "half a byte": (written({"a": entry("F4", [3], 0, 2)}, 2), "a has 2 B"),
    "backwards": (written({"a": entry("U8", [1], 1, 0)}), "a has -1 B"),
    "a gap": (written({"a": entry("U8", [1], 4, 5)}), "begins at 4 instead of 0"),
    "an overlap": (
        written({"a": entry("U8", [4], 0, 4), "b": entry("U8", [4], 2, 6)}),
        "b begins at 2 instead of 4",
    ),
    "beyond the file": (written({"a": entry("U8", [64], 0, 64)}), "download is not complete"),
    "more than is named": (written({"a": entry("U8", [4], 0, 4)}), "28 B behind the last"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_each_lie_is_named(folder: Path, lie: str) -> None:
    data, reason = LIES[lie]
    path = put(folder, data)
    with pytest.raises(BadWeights, match=reason):
        read_header(path)
    assert isinstance(attempt(path), BadWeights)


INDICES: dict[str, tuple[object, str]] = {
    "no map": ({"metadata": {}}, "weight_map is missing"),
    "an empty map": ({"weight_map": {}}, "weight_map is missing"),
    "not JSON": ("{", "cannot be read from character 1"),
    "a list": ([], "cannot be read from character 0"),
    "numbers for files": ({"weight_map": {"a": 1}}, "cannot be read"),
    "a map twice": ('{"weight_map": {}, "weight_map": {}}', "weight_map stands there twice"),
    "a tensor twice": ('{"weight_map": {"a": "x", "a": "y"}}', "a stands there twice"),
    "a file elsewhere": ({"weight_map": {"a": "../one.safetensors"}}, r"a cannot be \.\./one"),
    "an absolute file": ({"weight_map": {"a": "/one.safetensors"}}, "a cannot be /one"),
    "another kind of file": ({"weight_map": {"a": "one.bin"}}, "a cannot be one.bin"),
    "a file that is missing": ({"weight_map": {"a": "three.safetensors"}}, "No such file"),
    "a tensor that is elsewhere": (
        {"weight_map": {"a": "one.safetensors", "b": "one.safetensors"}}, r"same tensors \(b\)"
    ),
    "a tensor it forgets": (
        {"weight_map": {"x": "two.safetensors"}}, r"two\.safetensors do not name"
    ),
    "deep": ('{"metadata": ' + DEEP, "cannot be read from character 13"),
    "long metadata": ('{"metadata": [' + "0," * 99_999 + "0]}", "cannot be read"),
    "many files": (
        {"weight_map": {str(n): f"{n}.safetensors" for n in range(5000)}}, "weight_map: 4097"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INDICES)
def test_an_index_that_lies_is_refused(tmp_path: Path, name: str) -> None:
    index, reason = INDICES[name]
    one, two = written({"a": entry("U8", [1], 0, 1)}, 1), written({}, 0)
    with pytest.raises(BadWeights, match=reason):
        read_facts(sharded(tmp_path, index, one=one, two=two))


CONFIGS = {
    "a list": "[]",
    "not JSON": "{",
    "deep": DEEP,
    "layers in words": '{"num_hidden_layers": "two"}',
    "layers beyond any": '{"num_hidden_layers": 9223372036854775808}',
    "half a layer": '{"num_hidden_layers": 1.5}',
    "fewer heads than none": '{"num_attention_heads": -1}',
    "a key twice": '{"num_hidden_layers": 1, "num_hidden_layers": 2}',
    "too long": '"' + "x" * (1 << 20) + '"',
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_configuration_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.json").write_text(CONFIGS[name])
    with pytest.raises(BadWeights, match=r"config\.json|num_") as caught:
        read_facts(put(tmp_path, GOOD))
    assert "config.json" in caught.value.message()


def test_every_reason_is_reached_by_a_lie(folder: Path, tmp_path: Path) -> None:
    reasons = set()
    for data, _ in LIES.values():
        error = attempt(put(folder, data))
        assert isinstance(error, BadWeights)
        reasons.add(error.facts["reason"].key)  # type: ignore[attr-defined]
    for index, _ in INDICES.values():
        one, two = written({"a": entry("U8", [1], 0, 1)}, 1), written({}, 0)
        with pytest.raises(BadWeights) as caught:
            read_facts(sharded(tmp_path, index, one=one, two=two))
        reasons.add(caught.value.facts["reason"].key)  # type: ignore[attr-defined]
    assert {f"safetensors.{name}" for name in sentences("safetensors")} <= reasons


def test_the_reason_is_told_in_the_readers_language(folder: Path) -> None:
    path = put(folder, LIES["more than is named"][0])
    with pytest.raises(BadWeights) as caught:
        read_header(path)
    told = [caught.value.message(language) for language in LANGUAGES]
    assert "28 B que no son de nadie" in told[LANGUAGES.index("es")]
    assert "за последним тензором" in told[LANGUAGES.index("ru")]


def test_every_truncation_is_noticed(folder: Path) -> None:
    for length in range(len(GOOD)):
        with pytest.raises(BadWeights):
            read_header(put(folder, GOOD[:length]))
    assert isinstance(attempt(put(folder, GOOD)), Facts)


@given(
    changes=st.dictionaries(
        st.integers(0, len(GOOD) - 1), st.integers(0, 255), min_size=1, max_size=6
    )
)
def test_damaged_bytes_give_facts_or_bad_weights(folder: Path, changes: dict[int, int]) -> None:
    data = bytearray(GOOD)
    for position, value in changes.items():
        data[position] = value
    attempt(put(folder, bytes(data)))


@given(noise=st.binary(max_size=300))
def test_noise_is_not_believed(folder: Path, noise: bytes) -> None:
    attempt(put(folder, noise))
    attempt(put(folder, written(noise, 8)))
    attempt(put(folder, written(b"{" + noise, 8)))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
_field = st.sampled_from(["dtype", "shape", "data_offsets"])


@given(name=st.sampled_from(["embed", "out"]), field=_field, value=_json)
@example(name="out", field="shape", value=[2**63])
@example(name="out", field="data_offsets", value=[2**63 - 8, 2**63])
def test_any_field_may_hold_anything(folder: Path, name: str, field: str, value: object) -> None:
    attempt(put(folder, written(GOOD_HEADER | {name: GOOD_HEADER[name] | {field: value}})))


@given(value=_json)
def test_any_entry_may_be_anything(folder: Path, value: object) -> None:
    attempt(put(folder, written({"a": value})))
    attempt(put(folder, written({"__metadata__": value})))


@given(config=_json)
def test_any_configuration_gives_facts_or_bad_weights(
    tmp_path_factory: Any, config: object
) -> None:
    folder = tmp_path_factory.getbasetemp() / "configured"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    attempt(put(folder, GOOD))


def test_a_header_as_large_as_it_may_be_costs_no_more_than_its_text(tmp_path: Path) -> None:
    """Empty lists take twenty times their text; a reader of all JSON would make them."""
    text = b'{"a": [' + b"[]," * 4_000_000 + b"[]]}"
    path = put(tmp_path, written(text, 0))
    tracemalloc.start()
    try:
        with pytest.raises(BadWeights, match="from character 6"):
            read_header(path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 3 * len(text)
