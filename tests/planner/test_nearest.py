"""What is offered instead of a refused model has a place, and takes nobody else's."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumbre.core.machine import CPU, Host
from lumbre.planner.arrange import Arranger
from lumbre.planner.nearest import BITS, OFFERED, nearest, with_quant
from lumbre.planner.options import Kitchen
from lumbre.planner.place import place, rights, seat
from lumbre.planner.wish import Wish
from lumbre.words import LANGUAGES, say
from tests.planner.toys import FAST, MIB, estimate, facts, host, households, limits_of, machines

quick = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
WISH = Wish(
    id="m", role="secondary", facts=facts(), context_tokens=8192, kv_types=("f16",),
    load_modes=("mmap",), extra_buffers=(True,), eager=True,
)  # fmt: skip


def offers(wish: Wish, limit_mib: int, machine: Host | None = None) -> dict[str, str]:
    """For a machine with so much main memory: each kind of offer, and its sentence."""
    plan = place([wish], machine or host(), {CPU: limit_mib * MIB, "gpu0": 900 * MIB}, estimate)
    assert not plan.models
    return {fit.key.removeprefix("plan.fit."): str(fit) for fit in plan.refused[0].would_fit}


@given(st.data(), machines, households(3))
@quick
def test_every_offer_fits_beside_all_that_was_placed(
    data: st.DataObject, machine: Host, wishes: tuple[Wish, ...]
) -> None:
    limits = data.draw(limits_of(machine))
    room = tuple(limits[device.id] for device in machine.devices)
    arranger = Arranger(Kitchen(machine, estimate), room)
    seated = seat(sorted(wishes, key=rights), arranger)
    plan = place(wishes, machine, limits, estimate)
    for refused in seated.refused:
        offered = nearest(refused, seated.seats, arranger)
        said = next(one for one in plan.refused if one.id == refused.id).would_fit
        assert said == tuple(fit.sentence for fit in offered)
        for fit in offered:
            instead = [fit.wish if wish is refused else wish for wish in wishes]
            again = place(instead, machine, limits, estimate)
            there = {one.id for one in again.models}
            assert there >= {fit.wish.id} | {one.id for one in plan.models}


def test_a_file_that_is_read_is_offered_before_anything_is_cut() -> None:
    """Mapped and rewritten: 400 + 200, 10 of process, 48 for 8192 tokens. Read: 458 MiB."""
    found = offers(WISH, 500)
    assert found["read"] == "with its file read rather than mapped: 480 MB"
    assert "without_extra_buffers" in found
    assert "kv" not in found


def test_eight_bits_and_less_context_are_offered_where_they_suffice() -> None:
    """458 MiB are needed, 6 KiB for each token among them."""
    wish = replace(WISH, load_modes=("read",))
    found = offers(wish, 457)
    assert found["kv"].startswith("with the cache of the talk in q8_0")
    assert found["context"] == "with a context of 7936 tokens: 479 MB"
    assert "read" not in found


def test_several_changes_are_offered_together_where_none_suffices_alone() -> None:
    """Read, in eight bits: 410 and 0.8 MiB for each 256 tokens."""
    found = offers(WISH, 412)
    assert set(found) == {"lightest", "quant"}
    assert "with a context of 512 tokens" in found["lightest"]


def test_a_smaller_quant_is_named_as_an_estimate_in_every_language() -> None:
    """Mapped and rewritten at 2.38 bits of 4.89: 292 MiB, 10 of process, 48 for the talk."""
    plan = place([WISH], host(), {CPU: 360 * MIB}, estimate)
    offer = plan.refused[0].would_fit[-1]
    assert offer.facts["quant"] == "IQ2_XXS"
    said = [say(offer.key, language, **offer.facts) for language in LANGUAGES]
    for sentence, word in zip(said, ("estimated", "estimado", "оценка"), strict=True):
        assert "367 MB" in sentence
        assert word in sentence


def test_the_largest_quant_that_fits_is_offered() -> None:
    plan = place([WISH], host(), {CPU: 560 * MIB}, estimate)
    assert plan.refused[0].would_fit[-1].facts["quant"] == "Q3_K_M"


def test_an_engine_that_uses_the_card_is_offered_where_there_is_one() -> None:
    wish = replace(WISH, runs_on_cards=False)
    assert offers(wish, 100, host(FAST))["cards"].startswith("on the graphics card")


def test_a_model_that_may_load_on_demand_is_offered_to() -> None:
    first = replace(WISH, id="first", requests_per_hour=9, eager=False)
    plan = place([first, WISH], host(), {CPU: 700 * MIB}, estimate)
    assert [one.id for one in plan.models] == ["first"]
    assert plan.refused[0].would_fit[0].key == "plan.fit.on_demand"
    assert plan.refused[0].must_be_resident


def test_nothing_is_offered_where_nothing_would_fit() -> None:
    assert offers(WISH, 20) == {}


def test_a_quant_weighs_by_the_ratio_of_its_bits() -> None:
    assert WISH.facts is not None
    smaller = with_quant(WISH, "Q2_K")
    assert smaller is not None
    assert smaller.facts is not None
    ratio = smaller.facts.file_bytes / WISH.facts.file_bytes
    assert abs(ratio - 3.1593 / 4.8944) < 1e-6
    assert with_quant(WISH, "Q8_0") is None
    assert with_quant(replace(WISH, facts=facts(quant="unheard of")), "Q2_K") is None
    assert [BITS[quant] for quant in OFFERED] == sorted((BITS[q] for q in OFFERED), reverse=True)
