"""Workers never ask for more threads than there are cores, and writing takes one."""

from hypothesis import given
from hypothesis import strategies as st

from lumbre.pool.threads import share

COUNTS = st.integers(0, 64)


@given(COUNTS, COUNTS, COUNTS)
def test_no_wish_goes_beyond_the_cores(cores: int, prompt: int, generation: int) -> None:
    threads = share(cores, prompt, generation)
    assert 1 <= threads.prompt <= max(1, cores)
    assert 1 <= threads.generation <= max(1, cores)


@given(st.integers(1, 64))
def test_left_to_itself_a_chat_model_reads_with_all_cores_and_writes_with_one(cores: int) -> None:
    assert (share(cores).prompt, share(cores).generation) == (cores, 1)


@given(st.integers(1, 64), COUNTS)
def test_small_models_take_one_thread_whatever_is_wished_for_the_large(
    cores: int, wish: int
) -> None:
    threads = share(cores, wish, wish, small=True)
    assert (threads.prompt, threads.generation) == (1, 1)


@given(st.integers(2, 64), st.integers(1, 64))
def test_as_many_workers_may_write_at_once_as_there_are_cores(cores: int, workers: int) -> None:
    busy = min(cores, workers)
    assert sum(share(cores).generation for _ in range(busy)) <= cores
