"""A header that lies, is cut short or was damaged raises BadWeights: no hang, no other error."""

import os
import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lumbre.core.errors import BadWeights
from lumbre.core.model import Facts
from lumbre.formats.gguf import read_facts, read_header
from lumbre.words import LANGUAGES, sentences
from tests.formats.writing import MODEL, TENSORS, As, Numbers, Raw, Written, gguf, text

GOOD = gguf()
MOST_BYTES = 8 << 20
"""What reading any of these small files may take, the 1 MiB buffer included."""


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


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "model.gguf"


def test_every_truncation_is_noticed(path: Path) -> None:
    for length in range(len(GOOD)):
        path.write_bytes(GOOD[:length])
        with pytest.raises(BadWeights):
            read_facts(path)
    path.write_bytes(GOOD)
    assert isinstance(attempt(path), Facts)


@given(
    changes=st.dictionaries(
        st.integers(0, len(GOOD) - 1), st.integers(0, 255), min_size=1, max_size=6
    )
)
def test_damaged_bytes_give_facts_or_bad_weights(path: Path, changes: dict[int, int]) -> None:
    data = bytearray(GOOD)
    for position, value in changes.items():
        data[position] = value
    path.write_bytes(data)
    attempt(path)


@given(
    position=st.integers(0, len(GOOD) - 8),
    number=st.sampled_from([2**64 - 1, 2**63, 2**63 - 1, 2**32, 2**31, 2**24, 65536, 0]),
)
@example(position=8, number=2**64 - 1)
@example(position=16, number=2**64 - 1)
def test_a_huge_number_anywhere_is_not_believed(path: Path, position: int, number: int) -> None:
    data = bytearray(GOOD)
    data[position : position + 8] = struct.pack("<Q", number)
    path.write_bytes(data)
    attempt(path)


@given(st.binary(max_size=300))
def test_noise_behind_the_magic_is_not_believed(path: Path, noise: bytes) -> None:
    path.write_bytes(b"GGUF\x03\x00\x00\x00" + noise)
    attempt(path)


def array(kind: int, count: int, data: bytes = b"") -> Raw:
    return Raw(struct.pack("<IIQ", 9, kind, count) + data)


def pairs(*more: tuple[str | bytes, Written]) -> list[tuple[str | bytes, Written]]:
    return [*MODEL.items(), *more]


MANY_EMPTY = b"\x00" * (8 * 200)
LIES: dict[str, tuple[bytes, str]] = {
    "another magic": (gguf(magic=b"GGJT"), "begin with GGUF"),
    "an empty file": (b"", "no GGUF file"),
    "a text of three letters": (b"abc", "no GGUF file"),
    "version 1": (gguf(version=1), "version is 1"),
    "version 4": (gguf(version=4), "version is 4"),
    "version 0": (gguf(version=0), "version is 0"),
    "big-endian": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
    "too many tensors": (gguf(count=2**40), "tensors: 1099511627776"),
    "too many keys": (gguf(keys=2**40), "keys: 1099511627776"),
    "more keys than there are": (gguf([], [], keys=3), "key 1 is missing"),
    "more tensors than there are": (gguf(count=50, numbers=False), "middle of its header"),
    "an empty key": (gguf(pairs(("", 1))), "key 11 is missing"),
    "a key twice": (gguf(pairs(("general.name", "x"))), "general.name stands there twice"),
    "a key that is not text": (gguf(pairs((b"\xff\xfe", 1))), "key 11 is not text"),
    "a key that is too long": (gguf(pairs(("k" * 65_536, 1))), "key 11: 65536"),
    "a value of no kind": (gguf(pairs(("x", Raw(b"\x0d\0\0\0")))), "x is of kind 13"),
    "a value that is not text": (
        gguf(pairs(("x", Raw(struct.pack("<I", 8) + text(b"\xc3("))))),
        "x is not text",
    ),
    "a string longer than the file": (
        gguf(pairs(("x", Raw(struct.pack("<IQ", 8, 2**62))))),
        r"middle of its header \(x\)",
    ),
    "a list longer than the file": (gguf(pairs(("x", array(4, 2**62)))), r"header \(x\)"),
    "a long list of texts": (gguf(pairs(("x", array(8, 2**61)))), r"header \(x\)"),
    "a list of nothing known": (gguf(pairs(("x", array(77, 1)))), "x is of kind 77"),
    "lists in lists": (
        gguf(pairs(("x", array(9, 1, struct.pack("<IQ", 9, 1) * 64)))),
        "x is of kind 9",
    ),
    "a skipped text beyond the end": (
        gguf(pairs(("x", array(8, 200, MANY_EMPTY[:-8] + struct.pack("<Q", 2**63)))), ()),
        r"middle of its header \(x\)",
    ),
    "alignment zero": (gguf(MODEL | {"general.alignment": 0}), "alignment cannot be 0"),
    "alignment three": (gguf(MODEL | {"general.alignment": 3}), "alignment cannot be 3"),
    "alignment in words": (gguf(MODEL | {"general.alignment": "x"}), "alignment cannot be x"),
    "a tensor twice": (gguf(tensors=[Numbers("a"), Numbers("a")]), "a stands there twice"),
    "a tensor's name too long": (gguf(tensors=[Numbers("n" * 64)]), "tensor 1: 64"),
    "five dimensions": (gguf(tensors=[Numbers("a", (1,) * 5)]), "a: 5"),
    "a tensor of no kind": (gguf(tensors=[Numbers("a", kind=43)]), "a is of kind 43"),
    "a withdrawn kind": (gguf(tensors=[Numbers("a", kind=4)]), "a is of kind 4,"),
    "half a block": (gguf(tensors=[Numbers("a", (100,), "Q4_K")]), "shape 100 of a"),
    "dimensions that overflow": (
        gguf(tensors=[Numbers("a", (2**32, 2**32, 2**32))]),
        "shape .* of a is impossible",
    ),
    "overflow hidden by a zero": (
        gguf(tensors=[Numbers("a", (0, 2**63))]),
        "shape .* of a is impossible",
    ),
    "a misaligned tensor": (gguf(tensors=[Numbers("a", offset=1)]), "begins at 1 instead of 0"),
    "overlapping tensors": (
        gguf(tensors=[Numbers("a"), Numbers("b", offset=0)]),
        "b begins at 0 instead of 128",
    ),
    "an offset past the end": (
        gguf(tensors=[Numbers("a", offset=2**60)]),
        "a begins at 1152921504606846976",
    ),
    "no numbers behind the header": (gguf(numbers=False), "the download is not complete"),
    "a list where a text belongs": (
        gguf(MODEL | {"tokenizer.chat_template": ["a", "b"]}),
        r"chat_template cannot be \[2\]",
    ),
    "a number where a text belongs": (
        gguf(MODEL | {"general.architecture": 7}),
        "architecture cannot be 7",
    ),
    "heads in words": (
        gguf(MODEL | {"llama.attention.head_count_kv": ["a", "b"]}),
        "head_count_kv cannot be a",
    ),
    "a list of heads too long to keep": (
        gguf(MODEL | {"llama.attention.head_count_kv": As("uint8", [1] * 2000)}),
        r"head_count_kv cannot be \[2000\]",
    ),
    "more layers than any engine takes": (
        gguf(MODEL | {"llama.block_count": 2**31}),
        "block_count cannot be 2147483648",
    ),
    "an architecture that does not exist": (
        gguf(MODEL | {"general.architecture": "zorro"}),
        "architecture zorro is not known",
    ),
    "the eyes of another model": (gguf(MODEL | {"general.architecture": "clip"}), "clip"),
}


@pytest.mark.parametrize("lie", LIES)
def test_each_lie_is_named(path: Path, lie: str) -> None:
    data, reason = LIES[lie]
    path.write_bytes(data)
    with pytest.raises(BadWeights, match=reason):
        read_facts(path)
    attempt(path)


def test_every_reason_is_reached_by_a_lie(path: Path, tmp_path: Path) -> None:
    """The sentences of words/gguf.toml are the reasons there are, and none else."""
    reasons = set()
    for data, _ in LIES.values():
        path.write_bytes(data)
        error = attempt(path)
        assert isinstance(error, BadWeights)
        reasons.add(error.facts["reason"].key)  # type: ignore[attr-defined]
    for missing in (tmp_path, tmp_path / "nothing"):
        error = attempt(missing)
        assert isinstance(error, BadWeights)
        reasons.add(error.facts["reason"].key)  # type: ignore[attr-defined]
    assert reasons == {f"gguf.{name}" for name in sentences("gguf")}


def test_the_reason_is_told_in_the_readers_language(path: Path) -> None:
    path.write_bytes(gguf(version=9))
    with pytest.raises(BadWeights) as caught:
        read_facts(path)
    told = [caught.value.message(language) for language in LANGUAGES]
    assert "su versión es la 9" in told[LANGUAGES.index("es")]
    assert "версия файла 9" in told[LANGUAGES.index("ru")]


def test_a_long_list_of_empty_texts_is_refused_by_its_count(path: Path) -> None:
    """Sparse on the disk, but a header that would take long to step over."""
    head = gguf(pairs(("x", array(8, 30 << 20))), ())
    with path.open("wb") as file:
        file.write(head)
        file.truncate(255 << 20)
    error = attempt(path)
    assert isinstance(error, BadWeights)
    assert "claims more than any model needs (x: 31457280)" in error.message()


def test_a_header_beyond_every_limit_is_refused_without_reading_it(path: Path) -> None:
    head = gguf(pairs(("x", array(0, 300 << 20))), ())
    with path.open("wb") as file:
        file.write(head)
        file.truncate(1 << 30)
    error = attempt(path)
    assert isinstance(error, BadWeights)
    assert "claims more than any model needs" in error.message()


def test_texts_are_not_kept_without_end(path: Path) -> None:
    long = Raw(struct.pack("<IQ", 8, 20 << 20))
    with path.open("wb") as file:
        file.write(gguf(pairs(("x", long)), ()))
        file.truncate(64 << 20)
    error = attempt(path)
    assert isinstance(error, BadWeights)
    assert "x: 20971520" in error.message()


def test_a_long_text_in_a_long_list_is_stepped_over(path: Path) -> None:
    texts = text("y" * 300_000) * 3 + MANY_EMPTY
    path.write_bytes(gguf(pairs(("x", array(8, 203, texts)))))
    assert isinstance(attempt(path), Facts)


def test_a_name_cannot_move_the_cursor_of_a_terminal(path: Path) -> None:
    path.write_bytes(gguf(tensors=[Numbers("\x1b[2Jevil\n", kind=43)]))
    with pytest.raises(BadWeights) as caught:
        read_facts(path)
    assert "evil" in caught.value.message()
    assert caught.value.message().isprintable()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.gguf"
    os.mkfifo(pipe)
    with pytest.raises(BadWeights, match="not a regular file"):
        read_header(pipe)


def test_only_padding_may_be_missing_at_the_end(path: Path) -> None:
    path.write_bytes(gguf(tensors=[Numbers("a", (1,))])[:-28])
    assert isinstance(attempt(path), Facts)
    path.write_bytes(gguf(tensors=[Numbers("a", (1,))])[:-29])
    assert isinstance(attempt(path), BadWeights)


def test_the_good_file_of_these_tests_is_good(path: Path) -> None:
    path.write_bytes(GOOD)
    facts = attempt(path)
    assert isinstance(facts, Facts)
    assert len(facts.tensors) == len(TENSORS)
