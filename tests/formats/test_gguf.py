"""What a GGUF file says is read as it stands, for real files and for every shape of header."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.errors import BadWeights
from lumbre.formats.gguf import Array, read_facts, read_header
from tests.formats.writing import MODEL, TENSORS, As, Numbers, Written, gguf


def written(folder: Path, data: bytes) -> Path:
    path = folder / "model.gguf"
    path.write_bytes(data)
    return path


def without(*keys: str) -> dict[str, Written]:
    return {key: value for key, value in MODEL.items() if key not in keys}


def test_smollm2_is_read_as_its_publisher_describes_it(smollm2: Path) -> None:
    facts = read_facts(smollm2)
    assert (facts.architecture, facts.quant) == ("llama", "Q4_1")
    assert (facts.layers, facts.embedding_length) == (30, 576)
    assert (facts.heads, facts.kv_heads, facts.key_length, facts.value_length) == (9, 3, 64, 64)
    assert (facts.context_length, facts.vocabulary) == (8192, 49152)
    assert facts.chat_template is not None and "<|im_start|>" in facts.chat_template
    assert len(facts.tensors) == 272
    assert facts.kv_heads_by_layer == ()


def test_the_tensors_of_a_real_file_end_where_the_file_ends(smollm2: Path) -> None:
    facts = read_facts(smollm2)
    last = facts.tensors[-1]
    assert facts.file_bytes == smollm2.stat().st_size == last.offset_bytes + last.size_bytes
    assert round(facts.tensors_bytes / 2**20, 1) == 92.1  # what the engine's log says it maps


def test_a_mix_of_kinds_has_the_name_people_know_it_by(qwen: Path) -> None:
    facts = read_facts(qwen)
    assert (facts.architecture, facts.quant) == ("qwen2", "Q4_K_M")
    assert (facts.kv_heads, facts.vocabulary, facts.context_length) == (2, 151936, 32768)


def test_a_vocabulary_is_counted_and_not_kept(smollm2: Path) -> None:
    assert read_header(smollm2).metadata["tokenizer.ggml.tokens"] == Array("string", 49152, None)


@pytest.mark.parametrize("version", [2, 3])
def test_both_versions_in_use_are_read(tmp_path: Path, version: int) -> None:
    facts = read_facts(written(tmp_path, gguf(version=version)))
    assert facts.name == "Tiny Talker 1M"
    assert facts.vocabulary == 3
    assert [tensor.kind for tensor in facts.tensors] == ["F32", "Q4_K"]
    assert [tensor.size_bytes for tensor in facts.tensors] == [64 * 3 * 4, 2 * 144]


def test_kv_heads_are_as_many_as_heads_where_the_file_says_nothing(tmp_path: Path) -> None:
    data = gguf(without("llama.attention.head_count_kv"))
    assert read_facts(written(tmp_path, data)).kv_heads == 4


def test_heads_may_differ_from_layer_to_layer(tmp_path: Path) -> None:
    data = gguf(MODEL | {"llama.attention.head_count_kv": As("int32", [2, 0])})
    facts = read_facts(written(tmp_path, data))
    assert (facts.kv_heads, facts.kv_heads_by_layer) == (2, (2, 0))


def test_a_list_with_the_same_value_for_each_layer_is_one_value(tmp_path: Path) -> None:
    data = gguf(MODEL | {"llama.attention.head_count_kv": As("uint32", [2, 2])})
    facts = read_facts(written(tmp_path, data))
    assert (facts.kv_heads, facts.kv_heads_by_layer) == (2, ())


def test_a_head_is_the_embedding_shared_out_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    assert read_facts(written(tmp_path, gguf())).key_length == 16
    data = gguf(MODEL | {"llama.attention.key_length": 24, "llama.attention.value_length": 8})
    facts = read_facts(written(tmp_path, data))
    assert (facts.key_length, facts.value_length) == (24, 8)


def test_without_a_file_type_the_quant_is_what_most_numbers_are_kept_in(tmp_path: Path) -> None:
    data = gguf(without("general.file_type"))
    assert read_facts(written(tmp_path, data)).quant == "Q4_K"


def test_a_guessed_file_type_is_still_a_name(tmp_path: Path) -> None:
    data = gguf(MODEL | {"general.file_type": 1024 + 7})
    assert read_facts(written(tmp_path, data)).quant == "Q8_0"


def test_a_file_type_from_the_future_falls_back_to_the_kinds(tmp_path: Path) -> None:
    data = gguf(MODEL | {"general.file_type": 999})
    assert read_facts(written(tmp_path, data)).quant == "Q4_K"


def test_an_architecture_nobody_knows_is_refused_by_name(tmp_path: Path) -> None:
    renamed = {key.replace("llama.", "zorro."): value for key, value in MODEL.items()}
    data = gguf(renamed | {"general.architecture": "zorro"})
    with pytest.raises(BadWeights, match=r"its architecture zorro is not known") as caught:
        read_facts(written(tmp_path, data))
    assert "update lumbre" in caught.value.message()


def test_a_model_without_a_template_has_none(tmp_path: Path) -> None:
    data = gguf(without("tokenizer.chat_template", "general.name"))
    facts = read_facts(written(tmp_path, data))
    assert (facts.chat_template, facts.name) == (None, "")


def test_a_vocabulary_may_be_told_by_number_alone(tmp_path: Path) -> None:
    data = gguf(without("tokenizer.ggml.tokens") | {"llama.vocab_size": 77})
    assert read_facts(written(tmp_path, data)).vocabulary == 77


def test_a_file_may_align_its_tensors_as_it_likes(tmp_path: Path) -> None:
    metadata = MODEL | {"general.alignment": 256}
    facts = read_facts(written(tmp_path, gguf(metadata, alignment=256)))
    assert all(tensor.offset_bytes % 256 == 0 for tensor in facts.tensors)


@pytest.mark.parametrize(
    "key",
    [
        "general.architecture",
        "llama.block_count",
        "llama.context_length",
        "llama.embedding_length",
        "llama.attention.head_count",
    ],
)
def test_a_number_that_memory_depends_on_is_never_guessed(tmp_path: Path, key: str) -> None:
    with pytest.raises(BadWeights, match=key):
        read_facts(written(tmp_path, gguf(without(key))))


@pytest.mark.parametrize("value", ["many", 1.5, True, As("int32", -1), As("uint64", 2**40)])
def test_a_count_that_is_no_count_is_refused(tmp_path: Path, value: Written) -> None:
    with pytest.raises(BadWeights, match=r"llama\.block_count cannot be"):
        read_facts(written(tmp_path, gguf(MODEL | {"llama.block_count": value})))


def test_a_list_of_another_length_than_the_layers_is_refused(tmp_path: Path) -> None:
    data = gguf(MODEL | {"llama.attention.head_count_kv": As("uint32", [2, 2, 2])})
    with pytest.raises(BadWeights, match=r"head_count_kv cannot be \[3\]"):
        read_facts(written(tmp_path, data))


_numbers = st.one_of(
    st.builds(As, st.just("uint8"), st.integers(0, 255)),
    st.builds(As, st.just("int64"), st.integers(-(2**63), 2**63 - 1)),
    st.builds(As, st.just("float64"), st.floats(allow_nan=False)),
    st.builds(As, st.just("bool"), st.booleans()),
    st.builds(As, st.just("int16"), st.lists(st.integers(-(2**15), 2**15 - 1), max_size=9)),
)
_texts = st.text(max_size=20)
_metadata = st.dictionaries(
    st.text(min_size=1, max_size=12).filter(lambda key: key != "general.alignment"),
    _texts | _numbers | st.lists(_texts, max_size=4),
    max_size=8,
)
_kinds = st.sampled_from(["F32", "Q4_K", "Q8_0", "MXFP4", "I8"])
_tensors = st.lists(
    st.builds(Numbers, st.text(min_size=1, max_size=12), st.tuples(st.just(256)), _kinds),
    max_size=4,
    unique_by=lambda tensor: tensor.name,
)


@given(metadata=_metadata, tensors=_tensors)
def test_whatever_was_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    metadata: dict[str, Written],
    tensors: list[Numbers],
) -> None:
    path = tmp_path_factory.getbasetemp() / "read-back.gguf"
    path.write_bytes(gguf(metadata, tensors))
    header = read_header(path)
    assert [tensor.name for tensor in header.tensors] == [tensor.name for tensor in tensors]
    assert [tensor.kind for tensor in header.tensors] == [tensor.kind for tensor in tensors]
    assert header.metadata.keys() == metadata.keys()
    for key, value in metadata.items():
        match value:
            case As(kind, list() as items):
                assert header.metadata[key] == Array(kind, len(items), tuple(items))
            case As(_, number):
                assert header.metadata[key] == number
            case str():
                assert header.metadata[key] == value
            case list():
                assert header.metadata[key] == Array("string", len(value), tuple(value))


def test_the_tensors_of_the_small_file_are_in_their_places(tmp_path: Path) -> None:
    header = read_header(written(tmp_path, gguf()))
    first, second = header.tensors
    assert first.offset_bytes == header.data_start_bytes
    assert second.offset_bytes == first.offset_bytes + first.size_bytes
    assert [tensor.name for tensor in header.tensors] == [tensor.name for tensor in TENSORS]
