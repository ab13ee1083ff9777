"""What the guards decide is told in figures, and holds for whoever asks next."""

import logging
from dataclasses import replace

import pytest

from lumbre.config import Settings
from lumbre.config.settings import Latency, Residency, Strain
from lumbre.core.errors import EngineRefused, ModelDisabled, PromptTooLong
from lumbre.core.generation import Delta, PromptProgress, Usage
from lumbre.core.model import Capability, Manifest, Role
from lumbre.core.signals import JudgeAgreed, LongContext, PersonaScored, SpeechBegan, SpeechEnded
from lumbre.pool.guards.guards import Guards
from lumbre.words import LANGUAGES, say, sentences

SETTINGS = Settings(latency=Latency(optional_moe_s=2.0, least_answers=3, off_s=100))


class World:
    """Guards on a virtual clock."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.now = 1000.0
        self.places: dict[str, str] = {}
        self.guards = Guards(settings, self.earn, lambda: self.now)

    def earn(self, model: str, why: str | None) -> None:
        if why is None:
            del self.places[model]
        else:
            self.places[model] = why

    def speak(self, seconds: float) -> None:
        self.guards.tell(SpeechBegan())
        self.now += seconds
        self.guards.tell(SpeechEnded())

    def answer(
        self, manifest: Manifest, took_s: float, *, tokens: int = 10, whole: bool = True
    ) -> None:
        read = PromptProgress(tokens - 2, tokens)
        with self.guards.following(manifest, is_optional=True, is_task=True) as course:
            self.now += 5
            course.grant()
            course.saw(Delta(progress=read))
            course.saw(Delta(text="a"))
            self.now += took_s
            if whole:
                course.saw(Delta(finish="stop", usage=Usage(tokens, 2, 7)))

    @property
    def told(self) -> list[str]:
        return [notice.told.key for notice in self.guards.notices]


def model(name: str, role: Role = "optional_moe", *can: Capability) -> Manifest:
    return Manifest(
        id=name, family="x", role=role, format="gguf", capabilities=("chat", *can), revision="1"
    )


MOE = model("moe")


def test_long_speech_narrows_the_primary_and_quiet_widens_it() -> None:
    world = World()
    assert world.guards.narrowed(4096) == 4096
    world.speak(11)
    assert world.guards.is_diverted
    assert world.guards.may_replace
    assert world.guards.narrowed(4096) == 2048
    world.now += 6
    assert world.guards.narrowed(4096) == 4096
    assert world.told == ["guards.divert_lightweight", "guards.restore_quiet"]


@pytest.mark.parametrize("answer", ["narrow", "off"])
def test_the_settings_say_how_far_it_gives_way(answer: str) -> None:
    chosen = Strain(answer="narrow") if answer == "narrow" else Strain(answer="off")
    world = World(replace(SETTINGS, strain=replace(chosen, context_share=0.25)))
    world.speak(11)
    assert not world.guards.may_replace
    assert world.guards.narrowed(4000) == (1000 if answer == "narrow" else 4000)
    assert world.told == [f"guards.divert_{answer}"]


def test_a_slow_model_is_refused_with_its_figures_until_its_time_is_over() -> None:
    world = World()
    for _ in range(3):
        world.answer(MOE, 4.0)
    with pytest.raises(ModelDisabled) as refused:
        world.answer(MOE, 0.1)
    assert refused.value.facts == {
        "model": "moe", "p95_s": 4.0, "limit_s": 2.0, "retry_after_s": 100.0,
    }  # fmt: skip
    world.now += 100
    world.answer(MOE, 0.1)
    assert world.told == ["guards.disable", "guards.enable"]
    assert world.guards.tally.errors == {("moe", "optional_moe", "model_disabled"): 1}


def test_waiting_for_a_worker_is_no_fault_of_the_model() -> None:
    world = World()
    for _ in range(5):
        world.answer(MOE, 1.9)  # each waits five seconds before
    assert world.told == []
    (answers,) = world.guards.tally.answer_s.values()
    assert answers.total == pytest.approx(5 * 1.9)


def test_an_engines_error_says_nothing_of_its_speed() -> None:
    world = World()
    for _ in range(5):
        with (
            pytest.raises(EngineRefused),
            world.guards.following(MOE, is_optional=True, is_task=True) as course,
        ):
            course.grant()
            world.now += 50
            raise EngineRefused(model="moe", reason="no")
    assert world.told == []
    assert world.guards.tally.errors == {("moe", "optional_moe", "engine_refused"): 5}


def test_answers_are_counted_by_model_and_role_broken_off_or_whole() -> None:
    world = World()
    world.answer(MOE, 1.0)
    world.answer(MOE, 9.0, whole=False)
    tally, who = world.guards.tally, ("moe", "optional_moe")
    assert tally.answer_s[who].total == 1.0
    assert tally.first_token_s[who].total == 0.0
    assert sum(tally.first_token_s[who].counts) == 2
    assert tally.tokens == {
        (*who, "prompt"): 10 + 10,
        (*who, "cached"): 2,
        (*who, "output"): 7 + 1,
    }


def test_long_prompts_earn_a_place_also_those_that_were_refused() -> None:
    world = World(replace(SETTINGS, residency=Residency(least_tasks=4, long_tokens=1000)))
    long = model("long", "optional_moe", "long_context")
    primary = model("main", "primary")
    for _ in range(3):
        world.answer(primary, 0.1)
    with (
        pytest.raises(PromptTooLong),
        world.guards.following(primary, is_optional=False, is_task=True) as course,
    ):
        course.grant()
        raise PromptTooLong(model="main", prompt_tokens=9000, window_tokens=4096)
    assert world.guards.wants_candidates
    world.guards.offer([(long, True)])
    assert world.places == {"long": "long_context"}


def test_the_trigger_counts_as_a_task_of_long_context() -> None:
    world = World(replace(SETTINGS, residency=Residency(least_tasks=1)))
    assert world.guards.tell(LongContext("x")) == []
    assert world.guards.wants_candidates
    (notice,) = world.guards.offer([])
    assert notice.told.key == "guards.no_model_long_context"


def test_one_that_does_not_fit_is_told_once() -> None:
    world = World()
    thinks = model("thinks", "secondary", "reasoning")
    assert world.guards.tell(PersonaScored(0.7, 0.8)) == []
    (notice,) = world.guards.offer([(thinks, False)])
    assert notice.told == (
        "the primary keeps to its persona at 70 % and is to be above 76 %, but thinks does not"
        " fit beside the models that stay loaded"
    )
    assert world.guards.offer([(thinks, False)]) == []
    world.guards.offer([(thinks, True)])
    assert world.places == {"thinks": "persona"}
    world.guards.tell(PersonaScored(0.9, 0.8))
    assert world.places == {}


def test_signals_for_others_are_no_affair_of_the_guards() -> None:
    assert World().guards.tell(JudgeAgreed(agreed=True)) == []


def test_every_notice_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    World().speak(11)
    assert "speech has been busy for 11.0 s" in caplog.text


@pytest.mark.parametrize("name", sentences("guards"))
def test_every_sentence_of_the_guards_takes_the_facts_it_is_given(name: str) -> None:
    facts = {
        "busy_s": 11.0, "context_share": 0.5, "diverted_s": 3.0, "model": "moe", "p95_s": 4.0,
        "limit_s": 2.0, "answers": 20, "off_s": 300.0, "found_share": 0.2, "threshold_share": 0.1,
    }  # fmt: skip
    assert all(say(f"guards.{name}", language, **facts) for language in LANGUAGES)
