"""No text of a person or a document holds a mark that a chat template is made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.prompting.prompt import harmless

MARKS = (
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|fim_prefix|>",
    "<s>", "</s>", "<think>", "</think>", "<tool_call>", "</tool_call>", "[INST]", "[/INST]",
    "<<SYS>>", "<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>", "<unk>",
    "<repo_name>", "<reponame>", "<file_sep>", "<filename>", "<gh_stars>", "<issue_start>",
    "<jupyter_output>", "<empty_output>", "<\uff5cUser\uff5c>", "<<<", ">>>",
)  # fmt: skip
"""Special tokens of the models we know, and the borders of a passage."""


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_is_broken_wherever_it_stands(mark: str) -> None:
    assert mark not in harmless(f"before{mark}{mark} after")


@given(st.lists(st.sampled_from([*MARKS, "<", ">", "|", "s", "im_end", " ", "["])).map("".join))
def test_none_is_made_of_the_pieces_of_others(text: str) -> None:
    assert not [mark for mark in MARKS if mark in harmless(text)]


@given(st.text(alphabet="ab <>|[]/.,\n1€ñж"))
def test_nothing_of_a_text_but_blanks_is_changed(text: str) -> None:
    assert harmless(text).replace(" ", "") == text.replace(" ", "")
