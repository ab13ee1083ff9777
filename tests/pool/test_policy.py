"""What the pool decides in each situation, told one by one."""

from dataclasses import replace

from lumbre.pool.policy.events import Closed, Dismissed, Earned, Pinned, Pressed, Refuse
from lumbre.pool.policy.state import LLMS, THREADS, Terms
from tests.pool.world import World

CAPACITY = 80


def cpu(
    amount: int, slots: int = 1, idle_s: float | None = None, standing: str = "", **more: object
) -> Terms:
    standing = standing or ("eager" if idle_s is None else "on_demand")
    return Terms(need={"cpu": amount}, slots=slots, idle_s=idle_s, standing=standing, **more)  # type: ignore[arg-type]


MODELS = {
    "primary": cpu(50, standing="primary"),
    "embedder": cpu(10, slots=4, standing="resident"),
    "light": cpu(30, slots=2, idle_s=5.0),
    "micro": cpu(20, idle_s=3.0),
    "tiny": cpu(5, idle_s=3.0),
    "giant": cpu(500, idle_s=3.0),
}


def world_of(capacity: int = CAPACITY, **more: object) -> World:
    return World(MODELS, {"cpu": capacity}, **more)  # type: ignore[arg-type]


def refusals(world: World) -> list[tuple[int, str]]:
    return [(refused.ticket, refused.why) for refused in world.refused]


def test_a_model_that_cannot_fit_is_refused_at_once_with_what_there_is() -> None:
    world = world_of()
    ticket = world.ask("giant")
    assert world.refused == [Refuse(ticket, "giant", "does_not_fit", short_of="cpu", free=CAPACITY)]


def test_two_who_ask_for_a_cold_model_cause_one_load() -> None:
    world = world_of()
    world.ask("primary")
    world.ask("primary")
    assert list(world.alive.values()) == ["primary"]


def test_an_idle_on_demand_model_stops_after_its_time_and_an_eager_one_does_not() -> None:
    world = world_of()
    for model in ("micro", "embedder"):
        world.use_once(model)
    world.see(2.9)
    assert not world.stopping
    world.see(0.2)
    assert world.models_of(world.stopping) == ["micro"]


def test_while_everything_fits_and_nobody_waits_nothing_is_unloaded() -> None:
    world = world_of(keep_while_fits=True)
    for model in ("micro", "light"):
        world.use_once(model)
    world.see(1000.0)
    assert not world.stopping
    world.ask("primary")  # the three together do not fit: the others' time counts again
    assert world.models_of(world.stopping) == ["light", "micro"]


def test_a_pinned_model_neither_times_out_nor_makes_room() -> None:
    world = world_of()
    world.use_once("light")
    world.happened(Pinned("light"))
    world.see(100.0)
    assert not world.stopping
    world.ask("primary")
    assert not world.stopping, "80 are there: 30 and 50"
    world.start(world.worker("primary"))
    asked = world.ask("micro")
    assert (asked, "does_not_fit") not in refusals(world), "it waits for the primary"
    assert world.loaded("primary").leaving == "room", "though it ranks above the other"
    assert not world.stopping
    world.happened(Pinned("light", is_pinned=False))
    assert world.models_of(world.stopping) == ["light"]


def test_who_is_to_make_room_is_not_exchanged_for_another_while_its_answers_end() -> None:
    models = {name: cpu(30, idle_s=60.0, slots=2) for name in ("a", "b", "c")}
    models["b"] = replace(models["b"], reload_s=2.0)
    world = World(models, {"cpu": 70})
    for model in ("a", "b"):
        world.ask(model)
        world.start(world.worker(model))
    world.ask("c")
    assert world.loaded("a").leaving == "room"
    for _ in range(5):  # by now it is the other that would be missed less
        world.see(0.1)
        world.ask("a")
    assert (world.loaded("a").leaving, world.loaded("b").leaving) == ("room", "")


def test_room_is_made_by_idle_models_only_as_many_as_needed() -> None:
    world = world_of()
    for model in ("micro", "light", "embedder"):
        world.use_once(model)
    world.see(1.0)
    world.ask("primary")
    assert world.models_of(world.stopping) == ["light"]


def test_the_one_that_is_cheap_to_have_back_gives_way() -> None:
    models = {
        "slow": cpu(30, idle_s=60.0, reload_s=20.0),
        "quick": cpu(30, idle_s=60.0, reload_s=0.5),
        "new": cpu(30, idle_s=60.0),
    }
    for order in (("slow", "quick"), ("quick", "slow")):
        world = World(models, {"cpu": 70})
        for model in order:
            world.use_once(model)
        world.ask("new")
        assert world.models_of(world.stopping) == ["quick"]


def test_what_a_reload_costs_is_learned_from_the_last_load() -> None:
    models = {name: cpu(30, idle_s=60.0) for name in ("slow", "quick", "new")}
    world = World(models, {"cpu": 70})
    for model, load_s in (("slow", 20.0), ("quick", 0.5)):
        ticket = world.ask(model)
        world.start(world.worker(model), load_s)
        world.release(ticket)
    world.ask("new")
    assert world.models_of(world.stopping) == ["quick"]


def test_the_primary_gives_way_last() -> None:
    world = world_of(capacity=85)
    world.use_once("primary")
    world.use_once("light")
    world.ask("micro")
    assert world.models_of(world.stopping) == ["light"]


def test_a_stopped_worker_counts_until_it_was_seen_gone() -> None:
    world = world_of(capacity=60)
    world.use_once("primary")
    waiting = world.ask("light")
    world.see()
    assert list(world.alive.values()) == ["primary"]
    world.end(next(iter(world.stopping)))
    assert list(world.alive.values()) == ["light"]
    assert waiting in world.waiting


def test_an_end_that_gave_no_memory_back_is_not_counted_as_free() -> None:
    world = world_of(capacity=60)
    world.use_once("primary")
    waiting = world.ask("light")
    world.taken["cpu"] = 50  # what the process held is still held by something
    world.end(next(iter(world.stopping)))
    assert not world.alive
    assert waiting in world.waiting, "a moment's shortage passes"
    world.see(4.9)
    assert not world.refused
    world.see(0.2)
    assert refusals(world) == [(waiting, "does_not_fit")]


def test_two_that_start_at_once_do_not_take_each_others_memory_for_free() -> None:
    """What one is still to take looks available (vLLM #55827)."""
    world = world_of(capacity=70)
    world.ask("primary")
    world.see()
    world.ask("light")
    assert list(world.alive.values()) == ["primary"]
    world.fill(world.worker("primary"), 0.5)
    world.see()
    assert list(world.alive.values()) == ["primary"]


def test_one_that_grows_while_another_ends_is_not_taken_for_memory_that_did_not_come_back() -> None:
    """Attributed by process (oMLX #1774): 30 came back, though 20 more are in use."""
    world = world_of(capacity=110)
    world.ask("primary")
    world.start(world.worker("primary"))
    world.fill(world.worker("primary"), 0.4)
    world.see()
    world.use_once("light")
    world.use_once("micro")
    waiting = world.ask("light2", MODELS["light"])
    assert world.models_of(world.stopping) in (["light"], ["micro"])
    world.fill(world.worker("primary"), 0.8)
    for worker in list(world.stopping):
        world.end(worker)
    assert waiting not in [refusal.ticket for refusal in world.refused]
    assert "light2" in world.alive.values()


def test_a_look_that_began_before_a_process_was_gone_does_not_take_its_memory_back() -> None:
    world = world_of(capacity=60)
    world.use_once("primary")
    world.use_once("tiny")
    late = world.saw()
    world.ask("light")
    world.now += 1.0
    world.end(world.worker("primary"))
    world.happened(late)
    world.happened(Pressed())
    assert sorted(world.alive.values()) == ["light", "tiny"]
    assert not world.stopping


def test_memory_that_is_short_costs_one_model_not_all() -> None:
    """An OOM answered by evicting everything."""
    world = world_of(capacity=110)
    for model in ("light", "micro", "tiny"):
        world.use_once(model)
    world.taken["cpu"] = 56
    world.see()
    world.happened(Pressed())
    assert len(world.stopping) == 1


def test_a_start_that_failed_is_told_to_everyone_who_waited_for_it() -> None:
    world = world_of()
    first, second = world.ask("primary"), world.ask("primary")
    world.end(world.worker("primary"))
    assert refusals(world) == [(first, "failed"), (second, "failed")]
    assert not world.alive, "nothing restarts alone"


def test_after_a_failure_the_model_is_left_alone_for_longer_and_longer() -> None:
    world = world_of()
    world.ask("primary")
    world.end(world.worker("primary"))
    waits = [world.refused[-1].retry_after_s]
    for _ in range(12):
        early = world.ask("primary")
        assert refusals(world)[-1] == (early, "cooling")
        assert world.refused[-1].worker is not None
        world.see(world.refused[-1].retry_after_s)
        world.ask("primary")
        world.end(world.worker("primary"))
        waits.append(world.refused[-1].retry_after_s)
    assert waits[:4] == [2.0, 4.0, 8.0, 16.0]
    assert max(waits) == 300.0


def test_who_insists_or_brings_another_file_is_not_made_to_wait() -> None:
    world = world_of()
    world.ask("primary")
    world.end(world.worker("primary"))
    world.ask("primary", insists=True)
    world.end(world.worker("primary"))
    world.ask("primary", replace(MODELS["primary"], made_of="mended"))
    assert list(world.alive.values()) == ["primary"]


def test_a_use_that_ended_well_forgets_the_failures() -> None:
    world = world_of()
    world.ask("primary")
    world.end(world.worker("primary"))
    world.see(2.0)
    world.use_once("primary")
    world.end(world.worker("primary"))
    world.ask("primary")
    assert list(world.alive.values()) == ["primary"], "one death costs no wait"


def test_a_death_in_use_gets_the_next_in_line_a_new_worker() -> None:
    world = world_of()
    first, second = world.ask("primary"), world.ask("primary")
    world.start(world.worker("primary"))
    world.end(world.worker("primary"))
    assert not world.refused
    assert list(world.alive.values()) == ["primary"]
    world.release(first)
    world.start(world.worker("primary"))
    assert second in world.leases


def test_a_model_that_dies_again_and_again_is_not_started_for_ever() -> None:
    world = world_of()
    asked = [world.ask("primary") for _ in range(3)]
    world.start(world.worker("primary"))
    world.end(world.worker("primary"))
    world.start(world.worker("primary"))
    world.end(world.worker("primary"))
    assert not world.alive
    assert refusals(world) == [(asked[2], "failed")]
    assert world.refused[0].retry_after_s > 0


def test_one_that_stands_still_is_killed_in_use_and_the_next_gets_a_new_one() -> None:
    world = world_of()
    first, second = world.ask("primary"), world.ask("primary")
    world.start(world.worker("primary"))
    world.stall(world.worker("primary"))
    assert world.models_of(world.stopping) == ["primary"]
    world.release(first)
    assert second in world.waiting, "no lease on a worker that is being killed"
    world.end(world.worker("primary"))
    world.start(world.worker("primary"))
    assert second in world.leases


def test_a_lease_on_a_dead_worker_is_not_one_on_its_successor() -> None:
    world = world_of()
    old = world.ask("primary")
    world.start(world.worker("primary"))
    world.end(world.worker("primary"))
    new = world.ask("primary")
    world.start(world.worker("primary"))
    world.release(old)
    assert world.loaded("primary").leases == {new}


def test_who_leaves_during_a_load_stops_nothing_and_leaves_nothing_behind() -> None:
    world = world_of()
    gives_up, stays = world.ask("primary"), world.ask("primary")
    world.cancel(gives_up)
    world.start(world.worker("primary"))
    assert set(world.leases) == {stays}
    world.cancel(stays)
    assert world.loaded("primary").is_idle


def test_nobody_takes_memory_that_an_older_one_waits_for() -> None:
    world = world_of(capacity=55)
    using = world.ask("primary")
    world.start(world.worker("primary"))
    world.see()
    world.ask("light")
    world.ask("micro")
    world.ask("tiny")
    assert sorted(world.alive.values()) == ["primary", "tiny"], "5 are free, and 25 will be left"
    world.release(using)
    world.end(world.worker("primary"))
    assert sorted(world.alive.values()) == ["light", "micro", "tiny"]


def test_a_small_one_waits_where_it_would_delay_an_older_one() -> None:
    world = world_of(capacity=55)
    using = world.ask("light")
    world.start(world.worker("light"))
    world.see()
    world.ask("primary")
    world.ask("micro")
    assert sorted(world.alive.values()) == ["light"], "20 of the 25 free are waited for"
    world.release(using)
    world.end(world.worker("light"))
    assert sorted(world.alive.values()) == ["primary"]


def test_small_ones_together_take_no_more_than_is_left_beside_an_older_one() -> None:
    models = MODELS | {"small": cpu(8, idle_s=3.0)}
    world = World(models, {"cpu": 60})
    using = world.ask("light")
    world.start(world.worker("light"))
    world.see()
    first = world.ask("primary")
    world.ask("tiny")
    world.ask("small")
    assert sorted(world.alive.values()) == ["light", "tiny"], "10 are left beside the primary"
    world.release(using)
    world.end(world.worker("light"))
    assert first in world.waiting
    assert sorted(world.alive.values()) == ["primary", "tiny"]


def test_a_resident_model_does_not_wait_behind_one_who_waits_for_memory() -> None:
    """Who holds the primary and needs the embedder again would never give the primary back."""
    world = world_of(capacity=72)
    world.use_once("embedder")
    world.ask("primary")
    world.start(world.worker("primary"))
    world.see()
    world.ask("light")
    world.end(world.worker("embedder"))
    world.see()
    world.ask("embedder")
    assert sorted(world.alive.values()) == ["embedder", "primary"]


def test_a_model_in_use_a_moment_ago_is_not_idle() -> None:
    """The clock of an idle model and a request cross: the request wins (llama-swap #946)."""
    world = world_of()
    world.use_once("micro")
    world.now = 2.9
    world.release(world.ask("micro"))
    world.see(0.2)
    assert not world.stopping
    world.now += 10.0
    world.ask("micro")
    assert not world.stopping


def test_a_model_always_in_use_gives_way_to_one_who_waits() -> None:
    world = world_of(capacity=60)
    using = world.ask("primary")
    world.start(world.worker("primary"))
    world.see()
    waiting = world.ask("light")
    later = world.ask("primary")
    world.release(using)
    assert later in world.waiting, "the younger ticket does not take the slot again"
    world.end(world.worker("primary"))
    world.see()
    world.start(world.worker("light"))
    assert waiting in world.leases


def test_who_gives_up_lets_those_be_used_that_were_to_make_room() -> None:
    world = world_of(capacity=60)
    world.ask("light")
    world.start(world.worker("light"))
    gives_up = world.ask("primary")
    second = world.ask("light")
    assert second in world.waiting
    world.cancel(gives_up)
    assert second in world.leases


def test_the_one_just_loaded_is_not_the_one_that_makes_room() -> None:
    """It serves those who waited for it first (LocalAI #9375)."""
    world = world_of(capacity=60)
    first = world.ask("light")
    world.ask("primary")
    world.start(world.worker("light"))
    assert first in world.leases
    assert not world.stopping


def test_a_chat_model_never_costs_the_embedder_its_place() -> None:
    """For every question one and back again (Ollama #12247, #13227; LM Studio #2111)."""
    world = world_of(capacity=62)
    world.use_once("embedder")
    for _ in range(5):
        for model in ("primary", "embedder", "light", "embedder"):
            ticket = world.ask(model)
            for worker in list(world.stopping):
                world.end(worker)
            for worker in world.starting():
                world.start(worker)
            world.release(ticket)
    loads = [stop for stop in world.stops if world.alive.get(stop.worker) == "embedder"]
    assert not loads
    assert 1 in world.alive, "the first worker of all is still the embedder's"


def test_a_resident_model_is_not_stopped_for_another() -> None:
    world = world_of(capacity=55)
    world.use_once("embedder")
    world.ask("primary")
    assert [(r.why, r.free) for r in world.refused] == [("does_not_fit", 45)]
    assert not world.stopping


def test_a_resident_model_never_waits_for_one_in_use() -> None:
    """Whoever holds the primary and asks for the embedder would wait for itself."""
    world = world_of(capacity=55)
    using = world.ask("primary")
    world.start(world.worker("primary"))
    world.see()
    asked = world.ask("embedder")
    assert refusals(world) == [(asked, "does_not_fit")]
    world.release(using)
    world.ask("embedder")
    assert world.models_of(world.stopping) == ["primary"]
    assert [(stop.why, stop.room_for) for stop in world.stops] == [("room", "embedder")]


def test_asking_with_another_context_reloads_nothing() -> None:
    """A client's wish is not a plan (Ollama #14407)."""
    world = world_of()
    world.use_once("light")
    worker = world.worker("light")
    ticket = world.ask("light", replace(MODELS["light"], need={"cpu": 70}, made_of="longer"))
    assert world.leases[ticket] == worker
    assert not world.stopping


def test_a_model_on_two_devices_needs_room_on_both() -> None:
    models = {
        "split": Terms(need={"cpu": 10, "gpu0": 60}, idle_s=9.0),
        "card": Terms(need={"cpu": 5, "gpu0": 50}, idle_s=9.0),
        "plain": Terms(need={"cpu": 50}, idle_s=9.0),
    }
    world = World(models, {"cpu": 100, "gpu0": 80})
    world.use_once("card")
    world.use_once("plain")
    world.ask("split")
    assert world.models_of(world.stopping) == ["card"], "main memory has room enough"
    world.end(world.worker("card"))
    assert sorted(world.alive.values()) == ["plain", "split"]


def test_a_card_nobody_saw_has_no_room() -> None:
    for caps in ({}, {"gpu0": 60}):
        world = World({"card": Terms(need={"cpu": 5, "gpu0": 50})}, {"cpu": 100}, caps=caps)
        world.ask("card")
        assert [(r.why, r.short_of) for r in world.refused] == [("does_not_fit", "gpu0")]


def test_only_so_many_chat_models_are_loaded_at_a_time() -> None:
    models = {
        name: Terms(need={"cpu": 10, LLMS: 1}, idle_s=60.0) for name in ("one", "two", "three")
    }
    models["embedder"] = cpu(10, standing="resident")
    world = World(models, {"cpu": 100}, caps={LLMS: 2})
    for model in ("one", "two", "embedder"):
        world.use_once(model)
    world.ask("three")
    assert len(world.stopping) == 1
    assert world.models_of(world.stopping) != ["embedder"]


def test_the_threads_at_work_stay_within_the_cores() -> None:
    models = {
        name: cpu(10, slots=2, idle_s=60.0, work={THREADS: 1}) for name in ("one", "two", "three")
    }
    models["embedder"] = cpu(10, standing="resident", work={THREADS: 1})
    world = World(models, {"cpu": 100}, work_caps={THREADS: 2})
    first, second, third = world.ask("one"), world.ask("two"), world.ask("three")
    for worker in world.starting():
        world.start(worker)
    assert set(world.leases) == {first, second}
    again = world.ask("one")
    assert again in world.waiting, "nobody starts work past one who waits for a thread"
    resident = world.ask("embedder")
    world.start(world.worker("embedder"))
    assert resident in world.leases, "whoever holds a chat model may need it"
    world.release(second)
    assert third in world.leases
    assert again in world.leases, "its worker was at work already"


def test_one_alone_may_work_however_many_threads_it_wants() -> None:
    world = World({"wide": cpu(10, work={THREADS: 8})}, {"cpu": 100}, work_caps={THREADS: 2})
    ticket = world.ask("wide")
    world.start(world.worker("wide"))
    assert ticket in world.leases


def test_another_program_that_takes_memory_gets_it_in_the_stated_order() -> None:
    models = {
        "primary": cpu(20, standing="primary"),
        "embedder": cpu(10, standing="resident"),
        "eager": cpu(10, standing="eager"),
        "pinned": cpu(10, idle_s=999.0),
        "plenty": cpu(10, idle_s=999.0, reload_s=9.0),
        "little": cpu(10, idle_s=999.0, reload_s=0.1),
    }
    world = World(models, {"cpu": 70})
    for model in models:
        world.use_once(model)
    world.happened(Pinned("pinned"))
    gone = []
    for taken in range(5, 75, 10):
        world.taken["cpu"] = taken
        world.see(0.5)
        world.happened(Pressed())
        for worker in list(world.stopping):
            gone.append(world.alive[worker])
            world.end(worker)
    assert gone == ["little", "plenty", "eager", "embedder", "pinned"]
    ticket = world.ask("primary")
    assert ticket in world.leases, "the primary keeps answering"


def test_what_is_in_use_under_pressure_ends_its_answers_first() -> None:
    world = world_of()
    using = world.ask("light")
    world.start(world.worker("light"))
    world.taken["cpu"] = 75
    world.see()
    world.happened(Pressed())
    assert not world.stopping
    again = world.ask("light")
    assert again in world.waiting
    world.release(using)
    assert [stop.why for stop in world.stops] == ["pressure"]


def test_when_the_other_program_is_gone_nothing_leaves_any_more() -> None:
    world = world_of()
    using = world.ask("light")
    world.start(world.worker("light"))
    world.taken["cpu"] = 75
    world.see()
    world.happened(Pressed())
    world.taken["cpu"] = 0
    world.see()
    world.release(using)
    assert not world.stopping


def test_a_little_less_than_promised_is_what_the_reserve_is_for() -> None:
    world = world_of()
    world.state = replace(world.state, slack={"cpu": 10})
    world.use_once("light")
    world.taken["cpu"] = 55
    world.see()
    world.happened(Pressed())
    assert not world.stopping
    world.taken["cpu"] = 61
    world.see()
    world.happened(Pressed())
    assert world.models_of(world.stopping) == ["light"]


def test_unloading_by_hand_is_not_forgotten_when_memory_was_short_for_a_moment() -> None:
    world = world_of()
    using = world.ask("light")
    world.start(world.worker("light"))
    world.happened(Dismissed("light"))
    for taken in (75, 0):
        world.taken["cpu"] = taken
        world.see()
        world.happened(Pressed())
    world.release(using)
    assert [stop.why for stop in world.stops] == ["hand"]


def test_a_shortage_that_passes_costs_nobody_an_answer() -> None:
    world = world_of(capacity=60)
    using = world.ask("light")
    world.start(world.worker("light"))
    waiting = world.ask("primary")
    world.taken["cpu"] = 15
    world.see()
    assert waiting in world.waiting
    world.taken["cpu"] = 0
    world.see(4.0)
    world.taken["cpu"] = 15
    world.see(4.0)
    assert waiting in world.waiting, "its patience began anew"
    world.taken["cpu"] = 0
    world.release(using)
    world.end(world.worker("light"))
    world.start(world.worker("primary"))
    assert waiting in world.leases


def test_who_earned_a_place_stays_but_never_keeps_the_primary_out() -> None:
    world = world_of(capacity=85)
    world.use_once("light")
    world.happened(Earned("light"))
    world.see(100.0)
    assert not world.stopping, "unused for its time"
    world.use_once("micro")
    world.ask("primary")
    assert world.models_of(world.stopping) == ["micro"], "the other one goes first"
    world.end(world.worker("micro"))
    world.start(world.worker("primary"))
    world.release(max(world.leases))
    world.state = replace(world.state, pinned=frozenset({"primary"}))
    ticket = world.ask("micro")
    assert world.models_of(world.stopping) == ["light"]
    assert ticket in world.waiting


def test_what_workers_hold_over_what_was_planned_counts() -> None:
    world = World(MODELS, {"cpu": 200}, caps={"cpu": 60})
    for model in ("micro", "tiny"):
        world.use_once(model)
    world.held[world.worker("micro")] = {"cpu": 58}
    world.see()
    world.happened(Pressed())
    assert world.models_of(world.stopping) == ["micro"], "63 are held, 60 allowed"


def test_unloaded_by_hand_at_once_when_idle_and_after_its_answers_when_not() -> None:
    world = world_of()
    world.use_once("light")
    world.happened(Dismissed("light"))
    assert [stop.why for stop in world.stops] == ["hand"]
    world.end(world.worker("light"))
    using = world.ask("micro")
    world.start(world.worker("micro"))
    world.happened(Dismissed("micro"))
    assert not world.stopping
    world.release(using)
    assert world.models_of(world.stopping) == ["micro"]


def test_unloading_by_hand_does_not_rob_those_who_wait_for_the_start() -> None:
    world = world_of()
    ticket = world.ask("light")
    world.happened(Dismissed("light"))
    world.start(world.worker("light"))
    assert ticket in world.leases


def test_closing_refuses_who_waits_and_lets_the_others_finish() -> None:
    world = world_of()
    using = world.ask("primary")
    world.start(world.worker("primary"))
    waiting = world.ask("primary")
    world.happened(Closed())
    assert refusals(world) == [(waiting, "stopping")]
    assert not world.stopping
    late = world.ask("primary")
    assert refusals(world)[-1] == (late, "stopping")
    world.release(using)
    assert len(world.stopping) == 1
