"""A talk has one slot and a slot one talk; the least recently used gives way, a busy one never."""

from hypothesis import given
from hypothesis import strategies as st

from lumbre.pool.talks.seats import Seat, give_back, leave, lose, seated, shared, take

SAID = st.lists(st.sampled_from("abc"), max_size=3).map(tuple)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.none() | st.integers(1, 4), SAID),
        st.tuples(st.just("end"), st.integers(0, 3), SAID),
        st.tuples(st.just("leave"), st.integers(1, 4), SAID),
        st.tuples(st.just("lose"), st.integers(0, 3), SAID),
        st.tuples(st.just("undo"), st.integers(0, 3), SAID),
    ),
    max_size=40,
)


def after(count: int, steps: list[tuple[str, int | None, tuple[str, ...]]]) -> tuple[Seat, ...]:
    """The seats after these steps; what cannot be done is left out."""
    seats = (Seat(),) * count
    before: dict[int, Seat] = {}
    for what, which, said in steps:
        if what == "ask":
            if found := take(seats, which, said):
                before[found[1].seat] = seats[found[1].seat]
                seats = found[0]
        elif what == "leave" and which is not None:
            seats = leave(seats, which)
        elif which is not None and which < count and seats[which].is_busy:
            match what:
                case "end":
                    seats = give_back(seats, which)
                case "lose":
                    seats = lose(seats, which)
                case _:
                    seats = lose(seats, which, before[which])
    return seats


@given(st.integers(1, 4), STEPS)
def test_no_talk_sits_in_two_seats(
    count: int, steps: list[tuple[str, int | None, tuple[str, ...]]]
) -> None:
    sit = [seat.conversation for seat in after(count, steps) if seat.conversation is not None]
    assert len(sit) == len(set(sit))


@given(st.integers(1, 4), STEPS, st.none() | st.integers(1, 4), SAID)
def test_a_seat_at_work_is_nobody_elses_and_only_then_is_there_none(
    count: int,
    steps: list[tuple[str, int | None, tuple[str, ...]]],
    asks: int | None,
    said: tuple[str, ...],
) -> None:
    seats = after(count, steps)
    found = take(seats, asks, said)
    assert (found is None) == all(seat.is_busy for seat in seats)
    if found:
        now, taken = found
        assert not seats[taken.seat].is_busy
        assert now[taken.seat].is_busy
        assert now[taken.seat].said == said
        changed = {at for at, (a, b) in enumerate(zip(seats, now, strict=True)) if a != b}
        assert changed == {taken.seat}
        assert now[taken.seat].used == max(seat.used for seat in now)


@given(st.integers(1, 4), STEPS, st.none() | st.integers(1, 4), SAID)
def test_who_gives_way_was_used_least_recently_and_only_where_every_other_seat_has_a_talk(
    count: int,
    steps: list[tuple[str, int | None, tuple[str, ...]]],
    asks: int | None,
    said: tuple[str, ...],
) -> None:
    seats = after(count, steps)
    found = take(seats, asks, said)
    if found is None:
        return
    _, taken = found
    sits = [seat.conversation for seat in seats]
    before = seats[taken.seat]
    if asks is not None and asks in sits and not seats[sits.index(asks)].is_busy:
        assert taken.is_own
        assert taken.seat == sits.index(asks)
        assert taken.leaves is None
        assert not taken.is_erased
        return
    assert not taken.is_own
    free = [seat for seat in seats if not seat.is_busy]
    assert taken.leaves == before.conversation
    if taken.leaves is not None:
        assert all(seat.conversation is not None for seat in free)
        assert before.used == min(seat.used for seat in free)


@given(st.integers(1, 4), STEPS, st.none() | st.integers(1, 4), SAID)
def test_what_anothers_talk_read_is_erased_or_is_the_same_beginning(
    count: int,
    steps: list[tuple[str, int | None, tuple[str, ...]]],
    asks: int | None,
    said: tuple[str, ...],
) -> None:
    seats = after(count, steps)
    found = take(seats, asks, said)
    if found is None or found[1].is_own:
        return
    now, taken = found
    before = seats[taken.seat]
    is_anothers = before.conversation is not None or now[taken.seat].conversation is not None
    if is_anothers and before.said and not shared(before.said, said):
        assert taken.is_erased


def test_the_second_request_of_a_talk_at_work_is_served_as_one_without_a_talk() -> None:
    seats = (Seat(), Seat())
    first = take(seats, 7, ("a",))
    assert first is not None
    second = take(first[0], 7, ("a", "b"))
    assert second is not None
    assert [seat.conversation for seat in second[0]] == [7, None]


def test_without_a_talk_the_seat_that_has_read_most_of_it_is_taken() -> None:
    seats = (Seat(used=1, said=("a", "b")), Seat(used=2, said=("c",)), Seat())
    found = take(seats, None, ("a", "b", "c"))
    assert found is not None
    assert found[1].seat == 0
    assert not found[1].is_erased


@given(st.integers(1, 4), STEPS)
def test_the_talks_are_told_the_last_used_first(
    count: int, steps: list[tuple[str, int | None, tuple[str, ...]]]
) -> None:
    seats = after(count, steps)
    used = [seats[at].used for at in seated(seats)]
    assert used == sorted(used, reverse=True)
    assert len(used) == sum(seat.conversation is not None for seat in seats)


def test_a_talk_that_found_another_seat_meanwhile_is_not_put_back_in_its_old_one() -> None:
    old, other = Seat(1, used=1, said=("a",)), Seat(2, used=2, said=("b",))
    third = take((old, other), 3, ("c",))
    assert third is not None
    assert third[1].leaves == 1
    again = take(third[0], 1, ("a",))
    assert again is not None
    seats = lose(again[0], 0, old)  # the third left while the first was being saved
    assert [seat.conversation for seat in seats] == [None, 1]
    assert lose(third[0], 0, old)[0] == old
