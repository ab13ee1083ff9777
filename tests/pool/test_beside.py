"""A model fits to stay where all that stays, loaded or not yet, leaves it room on every device."""

from hypothesis import given
from hypothesis import strategies as st

from lumbre.pool.policy.beside import fits_beside
from lumbre.pool.policy.state import Loaded, Standing, State, Terms

ROOM = 100


def world(
    *loaded: tuple[str, int, Standing],
    known: tuple[tuple[str, int, Standing], ...] = (),
    pinned: tuple[str, ...] = (),
) -> State:
    """These are loaded and hold all that they were promised, of ROOM there was before."""
    terms = {name: Terms({"cpu": need}, standing=standing) for name, need, standing in loaded}
    workers = {
        number: Loaded(number, name, terms[name], phase="ready", held={"cpu": need})
        for number, (name, need, _) in enumerate(loaded, start=1)
    }
    coming = {name: Terms({"cpu": need}, standing=standing) for name, need, standing in known}
    left = ROOM - sum(need for _, need, _ in loaded)
    return State(
        available={"cpu": left}, workers=workers, terms=terms | coming, pinned=frozenset(pinned)
    )


def test_what_is_on_demand_makes_room_and_what_stays_does_not() -> None:
    state = world(("main", 40, "primary"), ("embed", 10, "resident"), ("other", 45, "on_demand"))
    assert fits_beside(state, "moe", {"cpu": 50})
    assert not fits_beside(state, "moe", {"cpu": 51})


def test_one_that_is_pinned_stays() -> None:
    state = world(("main", 40, "primary"), ("other", 45, "on_demand"), pinned=("other",))
    assert not fits_beside(state, "moe", {"cpu": 20})
    assert fits_beside(state, "moe", {"cpu": 15})


def test_one_that_stays_and_is_not_loaded_yet_keeps_its_place() -> None:
    state = world(known=(("main", 40, "primary"), ("other", 50, "on_demand")))
    assert fits_beside(state, "moe", {"cpu": 60})
    assert not fits_beside(state, "moe", {"cpu": 61})


def test_one_that_is_to_stay_and_nobody_asked_for_yet_keeps_its_place() -> None:
    primary = Terms(need={"cpu": 60}, standing="primary")
    assert fits_beside(world(), "moe", {"cpu": 50})
    assert not fits_beside(world(), "moe", {"cpu": 50}, {"primary": primary})
    assert fits_beside(world(), "moe", {"cpu": 40}, {"primary": primary})


def test_a_model_does_not_stand_in_its_own_way() -> None:
    state = world(("main", 40, "primary"), ("moe", 60, "on_demand"), pinned=("moe",))
    assert fits_beside(state, "moe", {"cpu": 60})


def test_a_device_that_nobody_has_seen_has_no_room() -> None:
    assert not fits_beside(world(), "moe", {"gpu0": 1})
    assert fits_beside(world(), "moe", {"gpu0": 0, "cpu": 1})


NAMED = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.integers(1, 40),
        st.sampled_from(["on_demand", "eager", "primary", "resident"]),
    ),
    max_size=6,
    unique_by=lambda one: one[0],
)


@given(NAMED, st.integers(0, 6), st.integers(1, 120))
def test_it_fits_exactly_where_the_sum_of_all_that_stays_and_it_does(
    models: list[tuple[str, int, Standing]], loaded: int, need: int
) -> None:
    state = world(*models[:loaded], known=tuple(models[loaded:]))
    stays = sum(amount for _, amount, standing in models if standing != "on_demand")
    assert fits_beside(state, "moe", {"cpu": need}) == (stays + need <= ROOM)
