"""Advice was tried before it is given: with it, nobody loses a place and somebody gains."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumbre.core.machine import CPU, Host
from lumbre.core.model import Role
from lumbre.planner.advise import FLUENT_TOKENS_PER_S, Advice, Candidate, advise
from lumbre.planner.place import place
from lumbre.planner.wish import Wish
from lumbre.words import LANGUAGES, say
from tests.planner.toys import FAST, GIB, MIB, SLOW, estimate, facts, host, limits_of, machines


def wish(name: str, layer_mib: int, role: Role = "primary", *, on_cards: bool = True) -> Wish:
    return Wish(
        id=name,
        role=role,
        facts=facts(8, layer_mib=layer_mib),
        context_tokens=2048,
        eager=role == "primary",
        runs_on_cards=on_cards,
        requests_per_hour=10,
    )


def candidate(name: str, layer_mib: int, family: str = "") -> Candidate:
    one = wish(name, layer_mib, "secondary")
    assert one.facts is not None
    parameters = one.facts.tensors_bytes * 8 / 4.8944
    return Candidate(
        wish=one, parameters=parameters, family=family or name, download_bytes=one.facts.file_bytes
    )


SIZES = {"tiny": 50, "small": 200, "middle": 900, "large": 3000, "giant": 20_000}
KNOWN = tuple(candidate(name, layer_mib) for name, layer_mib in SIZES.items())


def advised(machine: Host, limits: dict[str, int], *wishes: Wish) -> tuple[Advice, ...]:
    plan = place(wishes, machine, limits, estimate)
    assert plan.fits
    return advise(plan, wishes, KNOWN, machine, estimate)


def test_a_small_model_on_a_large_card_is_told_what_would_fit_in_its_place() -> None:
    found = advised(host(FAST), {CPU: 8 * GIB, "gpu0": 16 * GIB}, wish("toy", 200))
    assert [(one.kind, one.candidate and one.candidate.wish.id) for one in found] == [
        ("larger", "middle")
    ]
    said = str(found[0].sentence)
    assert said.startswith("toy (2.9B) is far below this machine: middle (12.5B) fits")
    spanish = say(found[0].sentence.key, "es", **found[0].sentence.facts)
    assert "toy (2,9B)" in spanish
    assert found[0].tokens_per_s is not None
    assert found[0].tokens_per_s >= FLUENT_TOKENS_PER_S


def test_a_model_that_makes_use_of_its_machine_is_left_alone() -> None:
    assert advised(host(FAST), {CPU: 8 * GIB, "gpu0": 9 * GIB}, wish("toy", 900)) == ()


def test_an_idle_card_is_offered_to_the_model_that_may_not_use_it() -> None:
    found = advised(host(FAST), {CPU: 8 * GIB, "gpu0": 2 * GIB}, wish("toy", 200, on_cards=False))
    assert found[0].kind == "idle_card"
    assert found[0].device == "gpu0"
    assert "gpu0 lies idle" in str(found[0].sentence)


def test_an_idle_second_card_gets_a_model_that_fits_it() -> None:
    """The first card is faster and holds the only model there is."""
    found = advised(
        host(FAST, SLOW), {CPU: 8 * GIB, "gpu0": 2 * GIB, "gpu1": 2 * GIB}, wish("toy", 200)
    )
    new = next(one for one in found if one.kind == "new_on_card")
    assert new.device == "gpu1"
    assert new.candidate is not None
    assert new.candidate.wish.id == "small"


def test_a_model_too_slow_for_its_machine_is_told_which_one_is_not() -> None:
    """16 GiB read for each token, at 30 GB/s: two tokens a second."""
    found = advised(host(), {CPU: 40 * GIB}, wish("toy", 2000))
    assert [(one.kind, one.candidate and one.candidate.wish.id) for one in found] == [
        ("faster", "small"),
        ("faster", "tiny"),
    ]
    assert "writes only about 1.8 tokens/s" in str(found[0].sentence)


def test_a_light_model_is_not_traded_for_one_that_is_half_as_fast() -> None:
    machine, limits = host(FAST), {CPU: 8 * GIB, "gpu0": 16 * GIB}
    assert advised(machine, limits, wish("toy", 200, "lightweight")) == ()


def test_nothing_known_or_nothing_planned_is_no_advice() -> None:
    machine, limits = host(FAST), {CPU: 8 * GIB, "gpu0": 16 * GIB}
    plan = place([wish("toy", 200)], machine, limits, estimate)
    assert advise(plan, [wish("toy", 200)], (), machine, estimate) == ()
    empty = place([], host(), {CPU: GIB}, estimate)
    assert advise(empty, [], KNOWN, host(), estimate) == ()


def test_models_too_large_for_the_machine_do_not_hide_the_one_that_fits() -> None:
    many = [candidate(f"large{n}", 2500 + 50 * n) for n in range(20)]
    machine, limits = host(FAST), {CPU: 40 * GIB, "gpu0": 16 * GIB}
    plan = place([wish("toy", 200)], machine, limits, estimate)
    found = advise(plan, [wish("toy", 200)], [*many, *KNOWN], machine, estimate)
    assert [one.candidate and one.candidate.wish.id for one in found] == ["middle"]


def test_a_model_rounded_too_far_is_no_advice() -> None:
    rough = replace(KNOWN[2], wish=replace(KNOWN[2].wish, facts=facts(8, quant="Q2_K")))
    machine, limits = host(FAST), {CPU: 8 * GIB, "gpu0": 16 * GIB}
    plan = place([wish("toy", 200)], machine, limits, estimate)
    assert advise(plan, [wish("toy", 200)], [rough], machine, estimate) == ()


@given(st.data(), machines, st.lists(st.sampled_from([50, 100, 400]), max_size=3))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
def test_with_every_advice_taken_all_have_a_place(
    data: st.DataObject, machine: Host, sizes: list[int]
) -> None:
    roles: tuple[Role, ...] = ("primary", "secondary", "lightweight")
    wishes = [wish(f"m{n}", mib, role) for n, (mib, role) in enumerate(zip(sizes, roles))]  # noqa: B905
    limits = {name: 4 * size + MIB for name, size in data.draw(limits_of(machine)).items()}
    plan = place(wishes, machine, limits, estimate)
    for one in advise(plan, wishes, KNOWN, machine, estimate):
        assert all(say(one.sentence.key, language, **one.sentence.facts) for language in LANGUAGES)
        if one.candidate is None:
            continue
        new = replace(one.candidate.wish, eager=False)
        if one.kind == "new_on_card":
            changed = [*wishes, new]
        else:
            changed = [
                replace(w, id=new.id, facts=new.facts) if w.id == one.model else w for w in wishes
            ]
        made = place(changed, machine, limits, estimate)
        there = {planned.id for planned in made.models}
        assert there >= ({planned.id for planned in plan.models} - {one.model}) | {new.id}
