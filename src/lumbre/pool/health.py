"""Tell a worker that works slowly from one that works no more. Pure.

A worker moves while something comes from its engine, its processes use processor time, or
it has just given a proof of life. One that nobody waits for moves no more by itself, so it is
asked every three seconds: first lightly (`Engine.alive`), and for a real token
(`Engine.ready`) only where that fails or an answer of its was broken off. A token takes a
slot, and the conversation that was held there reads its prompt again: drawn every few
seconds it would cost more than what it guards against.

Time is what passes between looks, a long gap counting as a short one: a laptop that slept, or
a household that was itself stopped, has seen nothing of the time between.
"""

from dataclasses import dataclass, replace
from typing import Literal

from lumbre.words import Sentence

LOOK_S = 1.0
"""Between two looks."""
STILL_S = 7.5
"""Without a sign of life. A worker's last may come just after a look, and the next look just
before this has passed: it is found within `STILL_S` + two looks, which is under 10 s."""
GAP_S = 2.0
"""The most that counts of the time between two looks."""
ASK_S = 1.5
"""After a look that took in an answer an idle worker is asked again: with looks of 1 s every
third asks, for the look after it takes the answer in."""
LIGHT_S = 1.9
"""For an answer to the light question, which takes a thousandth: then a token decides."""
STEP_S = 0.05
"""Processor time that counts as movement. A thread that only wakes to look around, as HTTP
threads do, needs minutes for it; a worker on a processor shared by a hundred half a second."""
SPIN_S = 180.0
"""For a worker nobody waits for that computes and answers nothing: after a caller has left it
may be busy with one batch. As long as a stream may be silent (`lumbre.backends.wire`)."""

Outcome = Literal["proved", "refused", "silent"]
How = Literal["stopped", "busy", "idle", "spins", "refuses"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the last question brought."""

    number: int
    """Counts the questions to this worker."""
    by_token: bool
    outcome: Outcome
    reason: str = ""
    """Of a refusal, in the engine's words."""


@dataclass(frozen=True, slots=True)
class Look:
    """One worker at one moment."""

    now_s: float
    is_busy: bool
    """Somebody waits for it, be it our question."""
    progress: int
    """`Engine.progress`."""
    broken: int
    """`Engine.broken`."""
    cpu_s: float
    """Of all its processes until now."""
    state: str
    """`lumbre.hardware.usage.Pulse.state`."""
    answer: Answer | None = None
    """To the last question that is over."""
    is_asked: bool = False
    """A question is under way."""


@dataclass(frozen=True, slots=True)
class Track:
    """What is remembered of a worker between looks. Times are by the clock of looks."""

    looked_at_s: float
    """By the real clock."""
    cpu_s: float
    """When it last counted as movement."""
    progress: int
    broken: int
    clock_s: float = 0.0
    moved_s: float = 0.0
    proven_s: float = 0.0
    """The last word from its engine."""
    doubted_s: float | None = None
    """Since when only a token tells."""
    answered: int = 0
    """The question whose answer was taken in."""
    silent: bool = False
    """The light question was not answered."""
    refusal: str = ""
    """Why the last token was refused."""


@dataclass(frozen=True, slots=True)
class Alive:
    """Or not known to be otherwise."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask it now: lightly, or for a token."""

    by_token: bool


@dataclass(frozen=True, slots=True)
class StandsStill:
    """It will not do anything any more."""

    for_s: float
    how: How
    error: str = ""
    """What it gives instead of a token."""

    @property
    def reason(self) -> Sentence:
        """For whoever waited for it."""
        return Sentence(f"pool.still.{self.how}", for_s=self.for_s, error=self.error)


Verdict = Alive | Ask | StandsStill


def judge(track: Track | None, look: Look) -> tuple[Track, Verdict]:
    """What a look tells, and what to remember for the next. No track: the first look."""
    if track is None:
        track = Track(look.now_s, look.cpu_s, look.progress, look.broken)
        return track, Alive()
    track = _seen(track, look)
    return track, _verdict(track, look)


def _seen(track: Track, look: Look) -> Track:
    passed_s = min(max(look.now_s - track.looked_at_s, 0.0), GAP_S)
    clock_s = track.clock_s + passed_s
    track = replace(track, looked_at_s=look.now_s, clock_s=clock_s)
    if look.cpu_s < track.cpu_s:  # a child of its is gone, and its time with it
        track = replace(track, cpu_s=look.cpu_s)
    if look.cpu_s >= track.cpu_s + STEP_S:
        track = replace(track, cpu_s=look.cpu_s, moved_s=clock_s)
    if look.progress != track.progress:
        track = _proved(replace(track, progress=look.progress, doubted_s=None))
    if look.broken != track.broken:
        doubted_s = clock_s if track.doubted_s is None else track.doubted_s
        track = replace(track, broken=look.broken, doubted_s=doubted_s)
    if look.answer is not None and look.answer.number != track.answered:
        track = _answered(replace(track, answered=look.answer.number), look.answer)
    if look.is_busy and not look.is_asked:  # for it a caller's patience counts, not ours
        track = replace(track, proven_s=clock_s, silent=False)
    return track


def _proved(track: Track) -> Track:
    return replace(track, moved_s=track.clock_s, proven_s=track.clock_s, silent=False, refusal="")


def _answered(track: Track, answer: Answer) -> Track:
    match answer.outcome:
        case "proved" if answer.by_token:
            return _proved(replace(track, doubted_s=None))
        case "proved":
            return _proved(track)
        case "refused" if answer.by_token:  # it does not stand still, and is of no use
            return replace(track, moved_s=track.clock_s, refusal=answer.reason)
        case _:
            return replace(track, silent=True)


def _verdict(track: Track, look: Look) -> Verdict:
    still_s = track.clock_s - track.moved_s
    if still_s >= STILL_S:
        return StandsStill(still_s, _how(look))
    if look.is_busy and not look.is_asked:
        return Alive()
    unproven_s = track.clock_s - track.proven_s
    if unproven_s >= SPIN_S:
        return StandsStill(unproven_s, "spins")
    if track.doubted_s is not None and track.refusal:
        doubted_s = track.clock_s - track.doubted_s
        if doubted_s >= STILL_S:
            return StandsStill(doubted_s, "refuses", track.refusal)
    if look.is_asked:
        return Alive()
    if track.doubted_s is not None:
        return Ask(by_token=True)
    return Ask(by_token=track.silent) if unproven_s >= ASK_S else Alive()


def _how(look: Look) -> How:
    if look.state == "T":
        return "stopped"
    return "busy" if look.is_busy and not look.is_asked else "idle"
