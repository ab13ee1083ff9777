"""What a worker was seen to hold corrects the next plan, and never below what was seen."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.machine import CPU, Device, Host
from lumbre.core.plan import Choice, Footprint, Placement
from lumbre.formats.gguf import read_facts
from lumbre.planner import calibration
from lumbre.planner.estimate import Estimator, Here
from lumbre.planner.footprint import slots_bytes
from lumbre.planner.oracle import Oracle
from lumbre.planner.records import Calibration, Records
from lumbre.planner.wish import Wish
from lumbre.store import Store
from tests.planner.test_footprint import QWEN

MIB = 2**20
CHOICE = Choice(context_tokens=2048)
HOST = Host(
    name="here",
    devices=(Device(id=CPU, kind="cpu", name="", total_bytes=2**40, free_bytes=2**40),),
    cores=1,
    architecture="x86_64",
)
WISH = Wish(id="q", role="primary", facts=QWEN)
BUFFERS = Placement(
    CPU,
    28,
    Footprint(
        weights_bytes=QWEN.file_bytes,
        kv_bytes=56 * MIB,
        compute_bytes=9 * MIB,
        overhead_bytes=110 * MIB,
    ),
)


@given(
    st.integers(10, 400),
    st.booleans(),
    st.sampled_from(["mmap", "read"]),
    st.integers(1, 8),
    st.sampled_from([True, False]),
)
def test_the_next_plan_covers_what_was_seen(
    constant_mib: int, is_full: bool, load_mode: str, slots: int, same_slots: bool
) -> None:
    choice = replace(CHOICE, load_mode=load_mode, slots=slots)  # type: ignore[arg-type]
    held = (constant_mib + 65) * MIB + slots_bytes(WISH, choice)
    held += QWEN.file_bytes - (QWEN.file_bytes if load_mode == "mmap" else 0)
    found = calibration.learned(
        None, WISH, choice, BUFFERS, planned_bytes=0, beside_bytes=held, is_full=is_full
    )
    assert found is not None
    again = choice if same_slots else replace(choice, slots=slots + 1)
    overhead = calibration.overhead_bytes(found, WISH, again, BUFFERS)
    assert overhead >= constant_mib * MIB + slots_bytes(WISH, again)


def test_a_process_that_was_not_seen_whole_teaches_nothing() -> None:
    found = calibration.learned(
        None, WISH, CHOICE, BUFFERS, planned_bytes=0, beside_bytes=60 * MIB, is_full=True
    )
    assert found is None


def test_a_full_context_says_more_than_a_load_and_the_largest_counts() -> None:
    def seen(known: Calibration | None, mib: int, is_full: bool) -> Calibration:
        found = calibration.learned(
            known, WISH, CHOICE, BUFFERS,
            planned_bytes=0, beside_bytes=(65 + mib) * MIB, is_full=is_full,
        )  # fmt: skip
        assert found is not None
        return found

    loaded = seen(None, 90, False)
    assert not loaded.is_full
    full = seen(loaded, 80, True)
    assert full.is_full
    assert full.constant_bytes < loaded.constant_bytes
    assert seen(full, 81, False).constant_bytes == full.constant_bytes
    more = seen(full, 95, False)
    assert more.constant_bytes > full.constant_bytes, "a load that holds more is believed"
    assert not more.is_full
    assert seen(full, 70, True).constant_bytes == full.constant_bytes
    assert seen(full, 100, True).constant_bytes > full.constant_bytes
    assert seen(full, 70, True).loads == 3


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "lumbre.db")
    yield store
    store.close()


def test_a_measurement_is_kept_for_its_load_mode_alone(store: Store, smollm2: Path) -> None:
    wish = Wish(id="s", role="primary", facts=read_facts(smollm2))
    here = {"s": Here(smollm2, "a" * 64, "b")}
    records = Records(store)
    with Oracle(records, "b") as oracle:
        estimate = Estimator(records, oracle, here)
        before, basis = estimate(wish, CHOICE, HOST)
        assert basis == "oracle"
        asked = estimate.asked(wish, CHOICE, HOST)
        assert asked is not None
        said = asked.footprint
        held_bytes = said.kv_bytes + said.compute_bytes + 48 * MIB
        estimate.learn(wish, CHOICE, HOST, {CPU: held_bytes}, is_full=True)
        again = Estimator(Records(store), oracle, here)
        after, basis = again(wish, CHOICE, HOST)
        assert basis == "calibrated"
        assert after[0].footprint.total_bytes < before[0].footprint.total_bytes
        assert again(wish, replace(CHOICE, load_mode="read"), HOST)[1] == "oracle"
        assert again(wish, replace(CHOICE, kv_type="q8_0"), HOST)[1] == "calibrated"
        other = Estimator(Records(store), oracle, {"s": Here(smollm2, "a" * 64, "another build")})
        assert other(wish, CHOICE, HOST)[1] == "formula"
    assert records.errors().keys() == {"s"}


def test_until_it_was_measured_the_larger_figure_counts(store: Store, smollm2: Path) -> None:
    wish = Wish(id="s", role="primary", facts=read_facts(smollm2))
    records = Records(store)
    with Oracle(records, "b") as oracle:
        estimate = Estimator(records, oracle, {"s": Here(smollm2, "a" * 64, "b")})
        alone = Estimator(records, None, {})
        for choice in (CHOICE, replace(CHOICE, slots=4), replace(CHOICE, load_mode="read")):
            asked = estimate.asked(wish, choice, HOST)
            (computed,), basis = alone(wish, choice, HOST)
            assert basis == "formula"
            assert asked is not None
            said = estimate(wish, choice, HOST)[0][0].footprint.total_bytes
            assert said == max(asked.footprint.total_bytes, computed.footprint.total_bytes)


def test_a_described_machine_is_not_asked(store: Store, smollm2: Path) -> None:
    wish = Wish(id="s", role="primary", facts=read_facts(smollm2))
    records = Records(store)
    with Oracle(records, "b") as oracle:
        estimate = Estimator(records, oracle, {"s": Here(smollm2, "a" * 64, "b")})
        assert estimate(wish, CHOICE, replace(HOST, is_described=True))[1] == "formula"
        assert oracle.asked == 0


def test_facts_are_remembered_as_they_were_read(store: Store, smollm2: Path) -> None:
    facts = read_facts(smollm2)
    Records(store).keep_facts(smollm2, facts)
    again = Records(store).facts(smollm2)
    assert again == replace(facts, chat_template=None)
    assert Records(None).facts(smollm2) is None


def test_use_is_measured_once_a_household_was_open_for_long_enough(store: Store) -> None:
    records = Records(store)
    records.count_use({"s": 30, "t": 0}, 6 * 3600)
    assert records.requests_per_hour("s") is None
    records.count_use({"s": 10, "t": 0}, 4 * 3600)
    assert records.requests_per_hour("s") == 4
    assert records.requests_per_hour("t") == 0
    assert records.requests_per_hour("u") is None


def test_what_a_card_was_seen_to_hold_corrects_that_card_alone(store: Store, smollm2: Path) -> None:
    """A card cannot be asked beforehand: there the formula is what a measurement corrects."""
    card = Device(id="gpu0", kind="cuda", name="", total_bytes=2**35, free_bytes=2**35)
    host = replace(HOST, devices=(*HOST.devices, card))
    wish = Wish(id="s", role="primary", facts=read_facts(smollm2))
    choice = replace(CHOICE, layers=(("gpu0", 31),))
    estimate = Estimator(Records(store), None, {"s": Here(smollm2, "a" * 64, "b")})
    before, basis = estimate(wish, choice, host)
    assert basis == "formula"
    seen_bytes = before[1].footprint.total_bytes - 300 * MIB
    estimate.learn(wish, choice, host, {"gpu0": seen_bytes}, is_full=True)
    after, basis = estimate(wish, choice, host)
    assert basis == "formula", "main memory was not measured yet"
    assert after[0] == before[0]
    assert seen_bytes <= after[1].footprint.total_bytes < before[1].footprint.total_bytes
    estimate.learn(wish, choice, host, {CPU: 300 * MIB, "gpu0": seen_bytes}, is_full=True)
    assert estimate(wish, choice, host)[1] == "calibrated"


def test_a_prompt_cache_that_was_still_empty_is_not_taken_off(store: Store, smollm2: Path) -> None:
    """What a worker may come to keep is planned for, and never supposed in what was measured."""
    wish = Wish(id="s", role="primary", facts=read_facts(smollm2), cache_ram_mib=30)
    records = Records(store)
    with Oracle(records, "b") as oracle:
        estimate = Estimator(records, oracle, {"s": Here(smollm2, "a" * 64, "b")})
        asked = estimate.asked(wish, CHOICE, HOST)
        assert asked is not None
        held_bytes = asked.footprint.kv_bytes + asked.footprint.compute_bytes + 48 * MIB
        estimate.learn(wish, CHOICE, HOST, {CPU: held_bytes}, is_full=True)
        without = replace(wish, cache_ram_mib=0)
        said = estimate(without, CHOICE, HOST)[0][0].footprint.total_bytes
        assert said >= held_bytes + smollm2.stat().st_size
        with_cache = estimate(wish, CHOICE, HOST)[0][0].footprint.total_bytes
        assert with_cache == said + 30 * MIB


def test_a_process_that_uses_cards_is_not_held_for_one_that_does_not(store: Store) -> None:
    card = Device(id="gpu0", kind="cuda", name="RTX", total_bytes=2**35, free_bytes=2**35)
    cpu = HOST.cpu
    on_card = replace(CHOICE, layers=(("gpu0", 5),))
    keys = {
        calibration.worker_key("s", WISH, choice, build="b", device=device)
        for choice in (CHOICE, on_card)
        for device in (cpu, card)
    }
    assert len(keys) == 3
    moved = replace(card, id="gpu1")
    assert calibration.worker_key("s", WISH, on_card, build="b", device=moved) in keys


def test_what_cannot_be_written_is_only_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path / "lumbre.db")
    records = Records(store)
    store.connection().execute("PRAGMA max_page_count = 1")
    records.keep_dry_run("f" * 5000, "b", "s", {"a": "b" * 100_000})
    assert records.dry_run("f" * 5000, "b", "s") is None
    store.close()
