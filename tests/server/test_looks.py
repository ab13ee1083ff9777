"""What `ps` and `top` tell is what was measured, and each figure is what its name says."""

from lumbre.core.errors import WorkerFailed
from lumbre.core.machine import CPU, Device, Host
from lumbre.pool.lease import DeviceView, Ended, Resting, View, Waiting
from lumbre.server import looks
from lumbre.server.errors import from_json

GB = 10**9


def view(model: str, **more: object) -> View:
    told: dict[str, object] = {
        "worker": 1, "model": model, "role": "secondary", "state": "ready",
        "standing": "on_demand", "is_pinned": False, "pid": 7, "planned": {CPU: 3 * GB},
        "measured": {CPU: 2 * GB}, "leases": 1, "slots": 4, "idle_s": 0.0,
    }  # fmt: skip
    return View(**(told | more))  # type: ignore[arg-type]


def host(*cards: str) -> Host:
    devices = [Device(id=CPU, kind="cpu", name="C", total_bytes=16 * GB, free_bytes=9 * GB)]
    devices += [
        Device(id=card, kind="cuda", name="G", total_bytes=24 * GB, free_bytes=20 * GB)
        for card in cards
    ]
    return Host(name="h", devices=tuple(devices), cores=4, architecture="x86_64")


def kept(device: str = CPU, **more: int | None) -> DeviceView:
    told: dict[str, int | None] = {
        "available_bytes": 8 * GB, "reserve_bytes": GB, "committed_bytes": 3 * GB,
        "free_bytes": 5 * GB, "cap_bytes": None,
    }  # fmt: skip
    return DeviceView(id=device, **(told | more))  # type: ignore[arg-type]


def test_a_model_is_told_as_the_contract_has_it() -> None:
    told = looks.model_told(view("m", planned={CPU: GB, "gpu0": 9 * GB}), 5)
    assert told["device"] == "gpu0"
    assert (told["planned_bytes"], told["measured_bytes"]) == (10 * GB, 2 * GB)
    assert (told["loads"], told["leases"], told["pid"]) == (5, 1, 7)


def test_a_budget_is_what_is_promised_and_what_still_may_be() -> None:
    (told,) = looks.budgets_told([kept()], [view("a"), view("b")])
    assert told == {
        "id": CPU,
        "budget_bytes": 8 * GB,
        "committed_bytes": 3 * GB,
        "measured_bytes": 4 * GB,
    }
    (over,) = looks.budgets_told([kept(free_bytes=-GB)], [])
    assert over["budget_bytes"] == 3 * GB


def test_others_hold_what_is_neither_free_nor_ours() -> None:
    (told,) = looks.memory_told([kept()], [view("a")], host(), {CPU: GB})
    assert told["total_bytes"] == 16 * GB
    # 16 in all, 8 + 1 to be had, 1 of ours that is no mapped file
    assert told["others_bytes"] == 6 * GB


def test_on_a_card_everything_a_worker_holds_is_its_own() -> None:
    views = [view("a", planned={"gpu0": 9 * GB}, measured={"gpu0": 8 * GB})]
    _, card = looks.memory_told(
        [kept(), kept("gpu0", available_bytes=14 * GB)], views, host("gpu0"), {CPU: 0}
    )
    assert card["measured_bytes"] == 8 * GB
    assert card["others_bytes"] == GB


def test_a_reserve_that_is_not_there_is_not_shown() -> None:
    (told,) = looks.memory_told([kept(available_bytes=-GB // 2)], [], host(), {CPU: 0})
    assert told["available_bytes"] == 0
    assert told["reserve_bytes"] == GB // 2
    assert told["reserve_bytes"] + told["others_bytes"] == told["total_bytes"]


def test_a_card_that_nobody_described_breaks_nothing() -> None:
    (told,) = looks.memory_told([kept("gpu7")], [], host(), {})
    assert (told["name"], told["total_bytes"], told["others_bytes"]) == ("", 0, 0)


def test_those_who_wait_are_counted_with_the_model_they_wait_for() -> None:
    waiting = [Waiting("m", 3.14), Waiting("other", 1.0), Waiting("m", 0.5)]
    told = looks.workings_told(view("m"), waiting, 43.21)
    assert (told["waiting"], told["slots"], told["tokens_per_s"]) == (2, 4, 43.2)
    assert looks.queue_told(waiting)[0] == {"model": "m", "waited_s": 3.1}
    assert looks.workings_told(view("m"), [], None)["tokens_per_s"] is None


def test_the_last_one_unloaded_comes_first_with_its_age() -> None:
    past = [Ended(10.0, "first", "idle", ""), Ended(50.0, "last", "room", "big")]
    assert looks.evictions_told(past, 60.0) == [
        {"ago_s": 10.0, "model": "last", "why": "room", "for": "big"},
        {"ago_s": 50.0, "model": "first", "why": "idle", "for": None},
    ]


def test_a_model_that_rests_is_told_with_its_reason() -> None:
    failure = WorkerFailed(model="m", reason="out of memory", log="m.log")
    (told,) = looks.cooling_told([Resting("m", 12.34, failure)])
    assert (told["model"], told["retry_after_s"]) == ("m", 12.3)
    assert "out of memory" in told["reason"]
    known = from_json(told)
    assert isinstance(known, WorkerFailed)
    assert known.facts == failure.facts
    (silent,) = looks.cooling_told([Resting("m", 1.0, None)])
    assert (silent["reason"], silent["error"]) == ("", None)
