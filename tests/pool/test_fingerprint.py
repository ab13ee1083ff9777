"""A state is named by all that it depends on, and no more is expected of it than it can hold."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.backend import WorkerSettings
from lumbre.core.messages import Message
from lumbre.core.model import Manifest, WeightsFile
from lumbre.core.plan import Footprint
from lumbre.pool.lease import Prepared
from lumbre.pool.talks.fingerprint import expected_tokens, fingerprint_of, marks
from lumbre.pool.talks.states import Kept

SAID = st.lists(st.sampled_from("abcd"), max_size=5).map(tuple)


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    files = {"weights": tmp_path / "m.gguf", "adapter": tmp_path / "a.gguf"}
    for path in files.values():
        path.write_bytes(b"GGUF")
    manifest = Manifest(
        id="m", family="m", role="primary", format="gguf", capabilities=("chat",), revision="1",
        files=(
            WeightsFile(path="m.gguf", sha256="1" * 64),
            WeightsFile(path="a.gguf", sha256="2" * 64, part="adapter"),
        ),
    )  # fmt: skip
    settings = WorkerSettings(context_tokens=512)
    return Prepared(manifest, files, settings, {"cpu": Footprint(weights_bytes=1)}, None)


def weighing(prepared: Prepared, part: str, sha256: str) -> Prepared:
    files = tuple(
        replace(file, sha256=sha256) if file.part == part else file
        for file in prepared.manifest.weights
    )
    return replace(prepared, manifest=replace(prepared.manifest, files=files))


def setting(prepared: Prepared, **settings: Any) -> Prepared:
    return replace(prepared, settings=replace(prepared.settings, **settings))


@pytest.mark.parametrize(
    "change",
    [
        lambda it: weighing(it, "weights", "3" * 64),
        lambda it: weighing(it, "adapter", "3" * 64),
        lambda it: replace(it, files={"weights": it.files["weights"]}),
        lambda it: setting(it, context_tokens=1024),
        lambda it: setting(it, kv_type="q8_0"),
        lambda it: replace(it, engine="llama_server"),
        lambda it: setting(it, engine_path="/another/build"),
    ],
)
def test_other_weights_adapters_builds_contexts_and_caches_have_other_states(
    prepared: Prepared, change: Callable[[Prepared], Prepared]
) -> None:
    assert fingerprint_of(change(prepared)) != fingerprint_of(prepared)


def test_what_a_state_does_not_depend_on_leaves_its_name(prepared: Prepared) -> None:
    other = setting(prepared, prompt_threads=8, generation_threads=4, batch_tokens=512)
    assert fingerprint_of(replace(other, idle_s=3.0)) == fingerprint_of(prepared)


def test_weights_without_a_checksum_are_known_by_their_file(prepared: Prepared) -> None:
    unchecked = weighing(prepared, "weights", "")
    before = fingerprint_of(unchecked)
    assert fingerprint_of(unchecked) == before
    prepared.files["weights"].write_bytes(b"GGUF of another size")
    assert fingerprint_of(unchecked) != before


@given(SAID, SAID, st.integers(0, 500), st.integers(0, 500))
def test_only_a_prompt_that_goes_on_is_expected_to_be_known_and_never_beyond_what_was_kept(
    before: tuple[str, ...], after: tuple[str, ...], tokens: int, prompt_tokens: int
) -> None:
    expected = expected_tokens(Kept("m", tokens, prompt_tokens, before), after)
    assert 0 <= expected <= min(tokens, prompt_tokens)
    if after[: len(before)] != before:
        assert expected == 0


def test_the_same_words_of_another_speaker_have_another_mark() -> None:
    said = marks([Message("user", "a"), Message("assistant", "a"), Message("user", "a")])
    assert said[0] == said[2] != said[1]
