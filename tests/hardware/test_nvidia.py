"""What NVIDIA's driver answers, or fails to, becomes cards and reasons; nothing hangs or dies."""

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.hardware import nvidia
from lumbre.hardware.nvidia import Graphics, ask_driver, read_graphics, understood
from lumbre.hardware.pcie import link_bytes_per_s
from lumbre.words import LANGUAGES, Sentence, say
from tests.hardware.fake_driver import make_library, plug_in

MIB = 2**20


def answers(name: str, uuid: str, total_mib: int, **others: Any) -> dict[str, Any]:
    """One card's answers, as `record` writes them."""
    return {
        "name": name,
        "uuid": uuid,
        "memory": {"total": total_mib * MIB, "free": (total_mib - 400) * MIB},
        "capability": [12, 0],
        "bus_width_bits": 256,
        "memory_clock_mhz": 14001,
        "sm_clock_mhz": 2452,
        "cores": 8960,
        "pcie_generation": 5,
        "pcie_lanes": 8,
        "mig": {"error": 3},
        "processes": [],
    } | others


LARGE = answers("NVIDIA GeForce RTX 5070 Ti", "GPU-aaaa-1", 16303)
SMALL = answers(
    "NVIDIA GeForce RTX 2060",
    "GPU-bbbb-2",
    6144,
    capability=[7, 5],
    bus_width_bits=192,
    memory_clock_mhz=7001,
    sm_clock_mhz=1680,
    cores=1920,
    pcie_generation=3,
    processes=[[10, 500 * MIB], [11, None], [10, 20 * MIB]],
)
TWO = {"driver": "580.95.05", "cuda": 13000, "count": 2, "cards": [LARGE, SMALL]}
"""Names and sizes as nvidia-smi prints them for these cards."""


def names(graphics: Graphics) -> list[tuple[str, str]]:
    return [(card.device.id, card.device.name.split()[-1]) for card in graphics.cards]


def check(recording: dict[str, Any]) -> None:
    """What every recording of a driver that answered is like, a real one or one of ours."""
    assert isinstance(recording["driver"], str)
    assert isinstance(recording["cuda"], int)
    assert recording["count"] == len(recording["cards"])
    for card in recording["cards"]:
        assert set(card) == set(LARGE) or set(card) == {"error"}
    seen = understood(recording)
    assert len(seen.cards) + len(seen.troubles) >= recording["count"]
    for card in (found.device for found in seen.cards):
        assert 0 <= card.free_bytes <= card.total_bytes
        assert card.kind == "cuda"
        assert card.compute_capability


def test_a_recording_of_ours_is_like_one_of_a_driver() -> None:
    check(TWO)


def test_the_driver_of_this_machine_answers_as_recordings_do() -> None:
    if not any((Path("/") / sign).exists() for sign in nvidia._SIGNS):
        pytest.skip("no NVIDIA driver runs on this machine")
    told = ask_driver()
    assert not isinstance(told, Sentence), told
    check(told)


def test_figures_are_the_vendors() -> None:
    """RTX 5070 Ti: 896 GB/s, 87.9 TFLOPS. RTX 2060: 336 GB/s, 25.8 TFLOPS. PCIe 5.0 x8: 31.5."""
    large, small = (card.device for card in understood(TWO).cards)
    assert large.bandwidth_bytes_per_s == pytest.approx(896e9, rel=0.001)
    assert large.compute_flops == pytest.approx(87.9e12, rel=0.001)
    assert large.link_bytes_per_s == pytest.approx(31.5e9, rel=0.001)
    assert small.bandwidth_bytes_per_s == pytest.approx(336e9, rel=0.001)
    assert small.compute_flops == pytest.approx(25.8e12, rel=0.001)
    assert (large.total_bytes, large.free_bytes) == (16303 * MIB, 15903 * MIB)
    assert (small.compute_capability, large.compute_capability) == ("7.5", "12.0")


def test_the_driver_and_its_cuda_are_told() -> None:
    assert (understood(TWO).driver, understood(TWO).cuda) == ("580.95.05", "13.0")


def test_memory_is_told_by_process_where_the_driver_knows_it() -> None:
    assert understood(TWO).cards[1].used_bytes_by_pid == {10: 520 * MIB}


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, [("gpu0", "Ti"), ("gpu1", "2060")]),
        ("0,1", [("gpu0", "Ti"), ("gpu1", "2060")]),
        ("1,0", [("gpu0", "2060"), ("gpu1", "Ti")]),
        ("1", [("gpu0", "2060")]),
        (" 1 , 0 ", [("gpu0", "2060"), ("gpu1", "Ti")]),
        ("GPU-bbbb", [("gpu0", "2060")]),
        ("GPU-bbbb-2,GPU-aaaa-1", [("gpu0", "2060"), ("gpu1", "Ti")]),
        ("0,7,1", [("gpu0", "Ti")]),
        ("1,1", [("gpu0", "2060")]),
        ("GPU-", []),
        ("-1", []),
        ("", []),
        ("none", []),
        ("MIG-1", []),
        ("9" * 5000, []),
    ],
)
def test_cards_are_those_that_the_environment_shows(
    visible: str | None, expected: list[tuple[str, str]]
) -> None:
    graphics = understood(TWO, visible)
    assert names(graphics) == expected
    assert bool(graphics.troubles) == (not expected)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"error": 15}, "bus"),
        ({"memory": {"error": 3}}, "how much memory"),
        ({"memory": {"error": 15}}, "bus"),
        ({"memory": {"error": 4}}, "may not"),
        ({"memory": {"total": 0, "free": 0}}, "how much memory"),
        ({"mig": [1, 1]}, "MIG"),
        ({"memory": {"error": 999}}, "999"),
    ],
)
def test_a_card_that_cannot_be_used_leaves_the_others_and_says_why(
    change: dict[str, Any], words: str
) -> None:
    broken = change if "error" in change else LARGE | change
    graphics = understood(TWO | {"cards": [broken, SMALL]})
    assert names(graphics) == [("gpu0", "2060")]
    assert len(graphics.troubles) == 1
    assert words in graphics.troubles[0]


def test_memory_of_the_machine_itself_has_no_bandwidth_of_its_own() -> None:
    """A card without memory of its own tells a width of 0 and no clock."""
    card = LARGE | {"bus_width_bits": 0, "memory_clock_mhz": {"error": 3}}
    assert understood(TWO | {"cards": [card]}).cards[0].device.bandwidth_bytes_per_s is None


def test_where_no_driver_runs_nobody_is_asked(tmp_path: Path) -> None:
    assert read_graphics(root=tmp_path) == Graphics()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*LARGE, "error", "total", "free"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["driver", "cuda", "count", "error"]), JSON),
    st.lists(JSON | st.fixed_dictionaries(dict.fromkeys(LARGE, JSON)), max_size=3),
    st.none() | st.text(max_size=8),
)
def test_nonsense_from_the_driver_is_no_crash(
    told: dict[str, Any], cards: list[Any], visible: str | None
) -> None:
    graphics = understood(told | {"cards": cards}, visible)
    for card in graphics.cards:
        assert 0 <= card.device.free_bytes <= card.device.total_bytes
    for trouble in graphics.troubles:
        for language in LANGUAGES:
            assert say(trouble.key, language, **trouble.facts)


def test_lanes_that_do_not_exist_have_no_speed() -> None:
    assert link_bytes_per_s(4, 16) == pytest.approx(31.5e9, rel=0.001)
    assert [link_bytes_per_s(*odd) for odd in ((0, 16), (9, 16), (4, 0), (4, 3))] == [None] * 4


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a driver's library that does what it is told."""
    return make_library(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def driver(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.MonkeyPatch]:
    """A machine where that library is the driver's."""
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    plug_in(tmp_path)
    yield monkeypatch


def test_the_library_is_asked_through_its_own_functions(
    driver: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = ask_driver()
    assert not isinstance(told, Sentence)
    check(told)
    graphics = read_graphics(root=tmp_path)
    assert not graphics.troubles
    (card,) = graphics.cards
    assert dataclasses.asdict(card.device) == {
        "id": "gpu0",
        "kind": "cuda",
        "name": "NVIDIA GeForce RTX 4070",
        "total_bytes": 12282 * MIB,
        "free_bytes": 11500 * MIB,
        "bandwidth_bytes_per_s": pytest.approx(504e9, rel=0.001),
        "compute_flops": pytest.approx(73.1e12, rel=0.001),
        "link_bytes_per_s": pytest.approx(31.5e9, rel=0.001),
        "compute_capability": "8.9",
        "uuid": "GPU-11111111-2222-3333-4444-555555555555",
    }
    assert card.used_bytes_by_pid == {4242: 700 * MIB}
    assert (graphics.driver, graphics.cuda) == ("560.35.03", "12.6")


@pytest.mark.parametrize(
    ("mood", "words"),
    [
        ("crashes", "failed"),
        ("forbids", "may not"),
        ("unloaded", "not loaded"),
        ("mismatched", "one version"),
        ("vanishes", "bus"),
    ],
)
def test_a_driver_in_trouble_is_a_sentence(
    driver: pytest.MonkeyPatch, tmp_path: Path, mood: str, words: str
) -> None:
    driver.setenv("FAKE_NVML", mood)
    graphics = read_graphics(root=tmp_path)
    assert not graphics.cards
    (trouble,) = graphics.troubles
    assert words in trouble


def test_a_card_that_fell_off_the_bus_leaves_the_other(
    driver: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    driver.setenv("FAKE_NVML", "lost")
    graphics = read_graphics(root=tmp_path)
    assert [card.device.id for card in graphics.cards] == ["gpu0"]
    assert len(graphics.troubles) == 1


def test_a_driver_that_hangs_is_left_behind(driver: pytest.MonkeyPatch, tmp_path: Path) -> None:
    driver.setenv("FAKE_NVML", "hangs")
    driver.setattr(nvidia, "_PATIENCE_S", 0.5)
    (trouble,) = read_graphics(root=tmp_path).troubles
    assert "not answered" in trouble
    assert not [entry for entry in Path("/proc").iterdir() if _asks(entry)]


def _asks(process: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
    except OSError:
        return False
    return b"lumbre.hardware.nvml" in words and int(parent) == os.getpid()


def test_without_the_library_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(tmp_path)
    graphics = read_graphics(root=tmp_path, ask=lambda: json.loads('{"error": 12}'))
    assert graphics.troubles == (Sentence("hardware.nvidia.no_library"),)
