"""An id tells only what it says: its parts read back as it was written, and nothing is guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.registry.naming import Name, is_newer, parse_name

families = st.lists(
    st.sampled_from(["qwen2.5", "coder", "llama", "3.1", "gpt", "oss", "bge", "m3"]),
    min_size=1,
    max_size=3,
).map("-".join)
sizes = st.sampled_from(["0.5b", "1.5B", "135m", "8x7b", "30b-a3b", "1t"])
purposes = st.sampled_from(["instruct", "chat", "it", "reasoning", "vision-instruct"])
quants = st.sampled_from(["q4_k_m", "q4km", "Q8_0", "iq2_xxs", "iq4_nl", "f16", "bf16", "mxfp4"])
numbers = st.integers(0, 99)


@st.composite
def names(draw: st.DrawFn) -> Name:
    size = draw(st.none() | sizes)
    major = draw(st.none() | numbers)
    return Name(
        family=draw(families),
        size=size,
        purpose=None if size is None else draw(st.none() | purposes),
        quant=draw(st.none() | quants),
        major=major,
        minor=None if major is None else draw(numbers),
        patch=None if major is None else draw(st.none() | numbers),
    )


@given(names())
def test_a_name_written_and_read_is_the_same(name: Name) -> None:
    assert parse_name(str(name)) == name


@given(st.text(max_size=60) | st.from_regex(r"[a-z0-9.-]{0,20}-v[0-9]+\.[0-9.]+", fullmatch=True))
def test_any_id_reads_back_as_it_was_written(model_id: str) -> None:
    assert str(parse_name(model_id)) == model_id


@pytest.mark.parametrize(
    ("model_id", "name"),
    [
        (
            "qwen2.5-coder-1.5b-instruct-q4_k_m-v1.0",
            Name("qwen2.5-coder", "1.5b", "instruct", "q4_k_m", 1, 0),
        ),
        (
            "llama-3.1-8b-instruct-q8_0-v1.2.3",
            Name("llama-3.1", "8b", "instruct", "q8_0", 1, 2, 3),
        ),
        ("gpt-oss-20b-q4km", Name("gpt-oss", "20b", None, "q4km")),
        ("bge-m3-v1.0", Name("bge-m3", major=1, minor=0)),
        ("use-multilingual-v3", Name("use-multilingual-v3")),
        ("mistral-7b-instruct-2407", Name("mistral-7b-instruct-2407")),
        ("some-7b-q4_k_m-imat", Name("some-7b-q4_k_m-imat")),
        ("x-7b-v01.0", Name("x-7b-v01.0")),
        ("", Name("")),
    ],
)
def test_parts_that_are_absent_stay_unknown(model_id: str, name: Name) -> None:
    assert parse_name(model_id) == name


def compared(model_id: str, than: str) -> bool | None:
    return is_newer(parse_name(model_id), parse_name(than))


@pytest.mark.parametrize(
    ("model_id", "than", "newer"),
    [
        ("a-7b-chat-q4_0-v1.1", "a-7b-chat-q4_0-v1.0", True),
        ("a-7b-chat-q4_0-v1.10", "a-7b-chat-q4_0-v1.9", True),
        ("a-7b-chat-q4_0-v2.0", "a-7b-chat-q4_0-v1.9.9", True),
        ("a-7b-chat-q4_0-v1.0.1", "a-7b-chat-q4_0-v1.0.2", False),
        ("a-7b-chat-q4_0-v1.0", "a-7b-chat-q4_0-v1.0", False),
        ("a-7b-chat-q4_0-v1.0.1", "a-7b-chat-q4_0-v1.0", None),
        ("a-7b-chat-q4_0-v1.1", "a-7b-chat-q4_0", None),
        ("a-7b-chat-q4_0", "a-7b-chat-q4_0", None),
        ("a-7b-chat-q8_0-v1.1", "a-7b-chat-q4_0-v1.0", None),
        ("a-8b-chat-q4_0-v1.1", "a-7b-chat-q4_0-v1.0", None),
        ("b-7b-chat-q4_0-v1.1", "a-7b-chat-q4_0-v1.0", None),
        ("a-7b-code-q4_0-v1.1", "a-7b-chat-q4_0-v1.0", None),
        ("bge-m3-v1.1", "bge-m3-v1.0", None),
    ],
)
def test_only_versions_of_the_same_model_are_compared(
    model_id: str, than: str, newer: bool | None
) -> None:
    assert compared(model_id, than) is newer


@given(names(), names())
def test_two_names_are_never_each_newer_than_the_other(one: Name, other: Name) -> None:
    assert not (is_newer(one, other) and is_newer(other, one))
    assert (is_newer(one, other) is None) == (is_newer(other, one) is None)
