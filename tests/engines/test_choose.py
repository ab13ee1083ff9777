"""The built-in engine runs unless there is a build for the cards, or a person wished otherwise."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.errors import BadConfig
from lumbre.engines.choose import choose, choose_for
from lumbre.engines.find import Found
from tests.engines.conftest import card, host

BUILT_IN = Found(
    name="built-in", backend="llama_cpp", device="cpu", build="xllamacpp-1", origin="built_in"
)
CUDA = Found(
    name="cuda12", backend="llama_cpp", device="cuda", build="xllamacpp-cuda12-1",
    origin="installed", path="/e/cuda12", toolkit="12",
)  # fmt: skip
NEWER = replace(CUDA, name="cuda13", toolkit="13", path="/e/cuda13")
PROGRAM = Found(
    name="llama-server", backend="llama_server", device="cuda", build="llama-server-b1",
    origin="path", path="/usr/bin/llama-server",
)  # fmt: skip
VULKAN = replace(CUDA, name="vulkan", device="vulkan", toolkit="")
OLLAMA = replace(PROGRAM, name="ollama", backend="ollama")
BROKEN = replace(NEWER, name="broken", toolkit="99", problem="libcuda.so.1")
EVERY = (BUILT_IN, CUDA, NEWER, PROGRAM, VULKAN, OLLAMA, BROKEN)

GPU = host(card(0))
CPU = host()


def test_a_machine_without_cards_runs_the_built_in_one() -> None:
    assert choose(EVERY, CPU) is BUILT_IN


def test_a_machine_with_cards_runs_the_newest_build_for_them() -> None:
    assert choose(EVERY, GPU) is NEWER
    assert choose((BUILT_IN, CUDA, VULKAN), GPU) is CUDA


def test_what_was_installed_goes_before_what_happens_to_be_there() -> None:
    assert choose((BUILT_IN, PROGRAM, CUDA), GPU) is CUDA
    assert choose((BUILT_IN, PROGRAM), GPU) is PROGRAM


def test_without_a_build_for_the_cards_it_is_the_built_in_one() -> None:
    assert choose((BUILT_IN, VULKAN, OLLAMA, BROKEN), GPU) is BUILT_IN


def test_where_the_built_in_one_uses_the_cards_nothing_else_is_needed() -> None:
    mac = replace(BUILT_IN, device="metal")
    server = replace(PROGRAM, device="metal")
    assert choose((mac, server), host(card(0, None, "metal"))) is mac


def test_a_wish_is_followed() -> None:
    assert choose(EVERY, CPU, "llama-server") is PROGRAM
    assert choose(EVERY, GPU, "built-in") is BUILT_IN


@pytest.mark.parametrize("wish", ["ollama", "broken", "nothing", ""])
def test_a_wish_that_cannot_be_is_an_error_that_names_what_can(wish: str) -> None:
    with pytest.raises(BadConfig) as caught:
        choose(EVERY, GPU, wish)
    assert "auto, built-in, cuda12, cuda13, llama-server, vulkan" in caught.value.message("es")


def test_a_manifest_that_asks_for_a_program_gets_one() -> None:
    other = replace(PROGRAM, name="server-cpu", device="cpu", origin="installed")
    assert choose_for("llama_server", (*EVERY, other), CPU) is other
    assert choose_for("llama_server", (*EVERY, other), GPU) is PROGRAM
    assert choose_for("llama_server", (BUILT_IN, CUDA), GPU) is None
    assert choose_for("llama_cpp", EVERY, GPU) is NEWER
    assert choose_for("llama_cpp", EVERY, GPU, "llama-server") is PROGRAM
    assert choose_for("encoder", EVERY, GPU) is None


@given(st.lists(st.sampled_from(EVERY[1:])), st.booleans())
def test_what_is_chosen_can_run(others: list[Found], has_card: bool) -> None:
    chosen = choose((BUILT_IN, *others), GPU if has_card else CPU)
    assert not chosen.problem
    assert chosen.backend != "ollama"
    assert chosen is BUILT_IN or chosen.device == "cuda"
