"""A build is recommended only where its publisher says it runs, and the reason can be read."""

import pytest

from lumbre.engines.catalogue import build, builds
from lumbre.engines.suits import best, verdict, verdicts
from lumbre.engines.system import System
from lumbre.words import LANGUAGES, say
from tests.engines.conftest import LINUX, card, host


@pytest.mark.parametrize(
    ("capability", "driver", "suiting"),
    [
        ("8.6", "13.2", {"cuda-13", "cuda-12"}),
        ("8.6", "13.0", {"cuda-13", "cuda-12"}),  # code for this very card: no translation
        ("8.6", "12.4", {"cuda-12"}),
        ("9.0", "13.0", {"cuda-12"}),  # Hopper is translated for, which 13.0 cannot of 13.2
        ("9.0", "13.2", {"cuda-13", "cuda-12"}),
        ("9.0", "12.8", {"cuda-12"}),
        ("9.0", "12.4", set()),
        ("6.1", "13.2", {"cuda-12"}),  # Pascal is gone from CUDA 13
        ("7.5", "13.0", {"cuda-13", "cuda-12"}),
        ("12.0", "12.8", {"cuda-12"}),
        ("3.5", "13.2", set()),
        ("8.9", "11.8", set()),
        (None, "12.8", {"cuda-12"}),
    ],
)
def test_a_cuda_build_needs_code_for_the_card_or_a_driver_that_translates(
    capability: str | None, driver: str, suiting: set[str]
) -> None:
    """The table of xllamacpp's README, "CUDA GPU Architecture Coverage"."""
    found = verdicts(host(card(0, capability), cuda=driver), LINUX)
    assert {one.build.name for one in found if one.suits and one.cards} == suiting


def test_the_build_that_serves_more_cards_is_the_better_one() -> None:
    """A new card and a Pascal one: CUDA 13 would leave the old one idle."""
    found = best(verdicts(host(card(0, "8.9"), card(1, "6.1"), cuda="13.2"), LINUX))
    assert found is not None
    assert found.build.name == "cuda-12"
    assert found.cards == 2


def test_of_equals_the_newer_is_the_better_one() -> None:
    found = best(verdicts(host(card(0, "8.9"), cuda="13.2"), LINUX))
    assert found is not None
    assert found.build.name == "cuda-13"


def test_an_old_c_library_rules_out_what_was_built_on_a_newer_one() -> None:
    old = System(name="linux", processor="x86_64", glibc="2.31")
    found = verdicts(host(card(0), cuda="12.8"), old)
    assert {one.build.name for one in found if one.suits} == {"cpu"}
    reasons = {one.build.name: str(one.reason) for one in found}
    assert reasons["cuda-12"] == "it needs glibc 2.35, here is 2.31"


def test_without_glibc_nothing_of_theirs_runs() -> None:
    found = verdicts(host(), System(name="linux", processor="x86_64"))
    assert not any(one.suits for one in found)


@pytest.mark.parametrize(
    ("system", "name"),
    [
        (System(name="linux", processor="x86_64", glibc="2.39", rocm="7.1.0"), "rocm-7"),
        (System(name="linux", processor="x86_64", glibc="2.39", rocm="6.4.1"), "rocm-6"),
        (System(name="linux", processor="x86_64", glibc="2.39", has_vulkan=True), "vulkan"),
        (System(name="linux", processor="aarch64", glibc="2.39", has_vulkan=True), "server-vulkan"),
        (System(name="darwin", processor="arm64"), "metal"),
        (System(name="linux", processor="x86_64", glibc="2.36"), "cpu"),
    ],
)
def test_the_best_build_of_a_system(system: System, name: str) -> None:
    found = best(verdicts(host(), system))
    assert found is not None
    assert found.build.name == name


def test_a_processor_with_more_than_the_built_in_engine_uses_has_a_faster_build() -> None:
    found = best(verdicts(host(instructions=("avx2", "avx512f")), LINUX))
    assert found is not None
    assert found.build.name == "server-cpu"


def test_every_reason_is_said_in_every_language() -> None:
    systems = [
        LINUX,
        System(name="darwin", processor="arm64"),
        System(name="linux", processor="x86_64", glibc="2.36", rocm="5.7", has_vulkan=True),
        System(name="linux", processor="x86_64", glibc="2.36", rocm="7.2"),
        System(name="linux", processor="x86_64"),
    ]
    hosts = [
        host(),
        host(card(0)),
        host(card(0, "3.5"), cuda="13.2"),
        host(card(0), cuda="11.0"),
        host(card(0), cuda="13.2", instructions=("avx512f",)),
    ]
    seen = set()
    for system in systems:
        for one in [found for h in hosts for found in verdicts(h, system)]:
            seen.add(one.reason.key)
            assert all(say(one.reason.key, lang, **one.reason.facts) for lang in LANGUAGES)
    assert len(seen) >= 14


def test_a_card_of_another_make_is_no_nvidia_card() -> None:
    row = build("cuda-12")
    assert row is not None
    assert not verdict(row, host(card(0, None, kind="rocm"), cuda="12.8"), LINUX).suits


def test_every_row_says_where_its_build_is_to_be_had() -> None:
    for row in builds():
        assert bool(row.index) != bool(row.address), row.name
        assert row.names, row.name
        assert (row.device == "cuda") == bool(row.cuda), row.name
