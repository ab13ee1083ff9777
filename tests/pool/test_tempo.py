"""A model's tempo is what it writes now: steady streams at once, silence soon, nobody else's."""

from hypothesis import given
from hypothesis import strategies as st

from lumbre.pool.tempo import Tempo

SPEEDS = st.floats(0.5, 500)
STARTS = st.floats(0, 1e6)


def written(tempo: Tempo, model: str, start: float, per_s: float, seconds: float) -> float:
    """The time of the last token of a steady stream."""
    count = max(2, int(seconds * per_s))
    for number in range(count + 1):
        tempo.count(model, start + number / per_s)
    return start + count / per_s


@given(start=STARTS, per_s=SPEEDS, seconds=st.floats(2, 60))
def test_a_steady_stream_shows_its_speed(start: float, per_s: float, seconds: float) -> None:
    tempo = Tempo()
    now = written(tempo, "a", start, per_s, seconds)
    seen = tempo.tokens_per_s("a", now)
    assert seen is not None
    assert 0.9 * per_s <= seen <= 1.35 * per_s if per_s < 2 else 0.9 * per_s <= seen <= 1.1 * per_s


@given(start=STARTS, per_s=SPEEDS, pauses=st.lists(st.floats(0.1, 30), min_size=2, max_size=9))
def test_what_falls_silent_falls_to_nothing(
    start: float, per_s: float, pauses: list[float]
) -> None:
    tempo = Tempo()
    now = written(tempo, "a", start, per_s, 5)
    before = tempo.tokens_per_s("a", now) or 0.0
    for pause in pauses:
        now += pause
        seen = tempo.tokens_per_s("a", now) or 0.0
        assert 0 <= seen < before or before == 0
        before = seen
    assert tempo.tokens_per_s("a", now + 60) is None


@given(start=STARTS, first=SPEEDS, second=SPEEDS)
def test_after_a_long_silence_it_begins_anew(start: float, first: float, second: float) -> None:
    tempo, alone = Tempo(), Tempo()
    again = written(tempo, "a", start, first, 5) + 100
    now = written(tempo, "a", again, second, 5)
    written(alone, "a", again, second, 5)
    assert tempo.tokens_per_s("a", now) == alone.tokens_per_s("a", now)


def test_models_do_not_mix_and_who_wrote_nothing_has_no_speed() -> None:
    tempo = Tempo()
    tempo.count("a", 5.0)
    assert tempo.tokens_per_s("a", 5.0) is None
    now = written(tempo, "a", 5.0, 10, 3)
    assert tempo.tokens_per_s("b", now) is None
    assert round(tempo.tokens_per_s("a", now) or 0) == 10


def test_several_tokens_at_once_count_as_many() -> None:
    tempo = Tempo()
    for number in range(101):
        tempo.count("a", number / 10, tokens=3)
    assert 28 < (tempo.tokens_per_s("a", 10.0) or 0) < 32
