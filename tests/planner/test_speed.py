"""Expected seconds follow from bytes, arithmetic and where the layers lie."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.model import LayerCache
from lumbre.core.plan import Choice
from lumbre.planner.speed import (
    CROSSING_S,
    START_S,
    USEFUL_SHARE,
    WITHOUT_COPY_SHARE,
    Pace,
    absence,
    requests_per_hour,
)
from lumbre.planner.wish import Wish
from tests.planner.toys import FAST, MIB, SLOW, facts, host

WISH = Wish(id="m", role="secondary", facts=facts(), prompt_tokens=0, output_tokens=100)
PLAIN = Choice(context_tokens=512)


def on(*layers: tuple[str, int], experts: int = 0) -> Choice:
    return replace(PLAIN, layers=layers, expert_layers_on_cpu=experts)


def test_a_token_reads_all_weights_but_the_table_of_words_and_the_talk() -> None:
    """3 layers of 100 MiB, the output's 50, and 50 tokens of 2 KiB in each layer."""
    read_bytes = 350 * MIB + 3 * 50 * 2048
    assert Pace(WISH, host()).token_s(PLAIN) == pytest.approx(read_bytes / 50e9 / USEFUL_SHARE)


def test_each_device_reads_its_layers_one_after_the_other() -> None:
    """The first two layers in main memory, the third and the output on the card."""
    pace = Pace(WISH, host(FAST))
    talk = 50 * 2048
    main_s = (200 * MIB + 2 * talk) / 50e9 / USEFUL_SHARE
    card_s = (150 * MIB + talk) / 900e9 / USEFUL_SHARE
    crossing_s = CROSSING_S + 4 * 64 / 12e9
    assert pace.token_s(on(("gpu0", 2))) == pytest.approx(main_s + card_s + crossing_s)


def test_of_experts_a_token_reads_only_those_it_visits() -> None:
    """Of 100 MiB of a layer 90 are experts, two of eight visited: 10 + 22.5."""
    wish = replace(WISH, facts=facts(experts=8))
    read_bytes = 3 * (10 + 90 / 4) * MIB + 50 * MIB + 3 * 50 * 2048
    seconds = Pace(wish, host()).token_s(PLAIN)
    assert seconds == pytest.approx(read_bytes / 50e9 / USEFUL_SHARE, rel=0.001)


def test_experts_in_main_memory_are_read_there() -> None:
    wish = replace(WISH, facts=facts(experts=8))
    pace = Pace(wish, host(FAST))
    moved = 90 / 4 * MIB
    more_s = moved / 50e9 / USEFUL_SHARE - moved / 900e9 / USEFUL_SHARE
    more_s += 2 * (CROSSING_S + 4 * 64 / 12e9)
    whole = pace.token_s(on(("gpu0", 4)))
    one_kept = pace.token_s(on(("gpu0", 4), experts=1))
    assert one_kept - whole == pytest.approx(more_s, rel=0.01)


def test_a_window_bounds_what_is_read_of_the_talk() -> None:
    caches = (LayerCache(key_width=512, value_width=512, window_tokens=10),) * 3
    assert WISH.facts is not None
    windowed = replace(WISH, facts=replace(WISH.facts, caches=caches))
    saved = 3 * 40 * 2048
    seconds = Pace(WISH, host()).token_s(PLAIN) - Pace(windowed, host()).token_s(PLAIN)
    assert seconds == pytest.approx(saved / 50e9 / USEFUL_SHARE, rel=0.01)


def test_a_prompt_takes_arithmetic_or_a_reading_of_the_weights_for_each_batch() -> None:
    """1000 tokens; 64 at a time on the processor, of which each reads 300 MiB."""
    wish = replace(WISH, prompt_tokens=1000)
    params = 3 * 8 * (100 * MIB // 5)
    assert Pace(wish, host()).prompt_s(PLAIN) == pytest.approx(1000 * 2 * params / 5e11, rel=0.01)
    hasty = replace(host(), devices=(replace(host().cpu, compute_flops=1e18),))
    reading_s = 16 * 350 * MIB / 50e9 / USEFUL_SHARE
    assert Pace(wish, hasty).prompt_s(PLAIN) == pytest.approx(reading_s)


def test_an_embedder_writes_nothing() -> None:
    wish = replace(WISH, role="embedding", embeds=True, prompt_tokens=100)
    pace = Pace(wish, host())
    assert pace.answer_s(PLAIN) == pace.prompt_s(PLAIN)


def test_a_worker_without_a_formula_reads_its_bytes() -> None:
    wish = Wish(id="w", role="stt", facts=None, fixed_bytes=300 * MIB, prompt_tokens=0)
    pace = Pace(wish, host())
    assert pace.layers == 1
    assert pace.token_s(PLAIN) == pytest.approx(300 * MIB / 50e9 / USEFUL_SHARE)


def test_without_the_rewritten_copy_it_writes_more_slowly() -> None:
    pace = Pace(WISH, host())
    lean = pace.token_s(replace(PLAIN, extra_buffers=False))
    assert lean * WITHOUT_COPY_SHARE == pytest.approx(pace.token_s(PLAIN))


def test_a_device_that_does_not_say_has_the_usual_speed_of_its_kind() -> None:
    machine = host(FAST, SLOW)
    silent = replace(
        machine,
        devices=tuple(
            replace(d, bandwidth_bytes_per_s=None, compute_flops=None) for d in machine.devices
        ),
    )
    pace = Pace(replace(WISH, prompt_tokens=100), silent)
    assert pace.answer_s(on(("gpu0", 4))) < pace.answer_s(PLAIN)
    assert pace.answer_s(on(("gpu0", 4))) == pace.answer_s(on(("gpu1", 4)))


def test_loading_reads_the_disk_and_then_the_link() -> None:
    assert Pace(WISH, host(FAST)).load_s(4 * 10**9, 10**9) == pytest.approx(START_S + 2 + 1 / 12)


@given(st.integers(0, 3), st.integers(0, 3))
def test_a_layer_more_on_a_faster_device_is_never_slower(first: int, second: int) -> None:
    """Once one layer is there: the first one pays the way."""
    pace = Pace(replace(WISH, prompt_tokens=500), host(SLOW, FAST))
    layers = tuple(x for x in (("gpu0", first), ("gpu1", second)) if x[1])
    if not 0 < first + second < 4 or not second:
        return
    more = tuple((name, count + (name == "gpu1")) for name, count in layers)
    assert pace.answer_s(on(*more)) < pace.answer_s(on(*layers))


def test_a_resident_is_always_there_and_one_on_demand_the_sooner_the_more_it_is_asked() -> None:
    assert absence(replace(WISH, eager=True), "resident") == 0
    rare, often = (replace(WISH, requests_per_hour=rate) for rate in (1.0, 60.0))
    assert 0.9 < absence(rare, "on_demand") < 1
    assert absence(often, "on_demand") < 0.01
    assert absence(often, "shared_slot", 0.5) == pytest.approx(0.5, abs=0.01)
    assert absence(replace(WISH, eager=True), "shared_slot", 0.75) == 0.25


def test_what_nobody_asks_for_still_counts() -> None:
    assert requests_per_hour(replace(WISH, requests_per_hour=0.0)) > 0
