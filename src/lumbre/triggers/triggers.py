"""Let optional models do the work that triggers ask for: the loop that does what is decided.

Each trigger gets one result, whatever happens to its model; a result that says that it took
too long comes only after the engine's stream was closed. Everything here runs on one event
loop, so `_happened` is the only writer of the state.
"""

import asyncio
import itertools
import logging
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

from lumbre.core.errors import EngineRefused, LumbreError, Stopping, TookTooLong, TriggerRefused
from lumbre.core.generation import ChatRequest, SoFar
from lumbre.core.messages import Message
from lumbre.core.signals import Result, Trigger
from lumbre.runtime import Runtime
from lumbre.store import Store
from lumbre.triggers.able import CAPABILITIES, able
from lumbre.triggers.chains import Chains
from lumbre.triggers.policy import (
    Able,
    Answer,
    Begin,
    Closed,
    Effect,
    Ended,
    Event,
    Outcome,
    Passed,
    Sent,
    State,
    Stop,
    Withdrawn,
    decide,
    wake_at,
)
from lumbre.triggers.tally import Tally
from lumbre.words import Sentence

_log = logging.getLogger(__name__)
_JUDGES_TEMPERATURE = 0.0
"""The same verdict for the same answer."""


@dataclass(slots=True)
class _Work:
    """One trigger on its way."""

    trigger: Trigger
    begun: float
    answer: "asyncio.Future[Result]"
    task: "asyncio.Task[None] | None" = None
    chain: int | None = None
    text: str = ""
    so_far: SoFar = field(default_factory=SoFar)
    error: LumbreError | None = None


class Triggers:
    """Everything that triggers ask for, above the runtime that answers."""

    def __init__(self, runtime: Runtime, store: Store) -> None:
        self.tally = Tally()
        self._runtime = runtime
        self._chains = Chains(store)
        settings = runtime.config.settings.triggers
        self._state = State(frozenset(settings.uses), settings.timeout_s)
        self._works: dict[int, _Work] = {}
        self._numbers = itertools.count(1)
        self._alarm: asyncio.TimerHandle | None = None
        self.unfinished = self._chains.take_unfinished()
        """What the household before this one took with it."""
        for left in self.unfinished:
            _log.warning("%s", left.told())

    async def send(self, trigger: Trigger) -> Result:
        """Have it done. What goes wrong is in the result. Cancelled, the work ends."""
        number = next(self._numbers)
        answer = asyncio.get_running_loop().create_future()
        self._works[number] = _Work(trigger, time.monotonic(), answer)
        self._happened(Sent(time.monotonic(), number, trigger.name, self._able(trigger)))
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            self._happened(Withdrawn(time.monotonic(), number))
            raise

    def end(self) -> None:
        """Take nothing more, and end what is at work: each gets its result."""
        self._happened(Closed(time.monotonic()))

    async def close(self) -> None:
        """The same; returns when nothing of it goes on."""
        self.end()
        if tasks := [work.task for work in self._works.values() if work.task]:
            await asyncio.wait(tasks)

    def _happened(self, event: Event) -> None:
        """Take one event, do what is decided. Never waits."""
        self._state, effects = decide(self._state, event)
        for effect in effects:
            self._act(effect)
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None
        if (due := wake_at(self._state)) is not None:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(max(0.0, due - time.monotonic()), self._wake)

    def _able(self, trigger: Trigger) -> tuple[Able, ...]:
        """Who can do it, those whose weights are not here last: they say so when they are asked."""
        runtime = self._runtime
        found = able(trigger.name, runtime.registry.usable())
        found.sort(key=lambda model: runtime.weights.state(model) != "present")
        return tuple(Able(model.id, runtime.guards.off(model.id) is not None) for model in found)

    def _wake(self) -> None:
        self._happened(Passed(time.monotonic()))

    def _act(self, effect: Effect) -> None:
        work = self._works[effect.number]
        match effect:
            case Begin(number, model):
                work.task = asyncio.create_task(self._answer(model, work))
                work.task.add_done_callback(partial(self._ended, number))
            case Stop():
                if work.task:
                    work.task.cancel()
            case Answer(number):
                del self._works[number]
                self._forget(work, effect.outcome)
                result = self._result(effect, work)
                self.tally.ended(result, effect.outcome)
                if result.error:
                    _log.warning("%s: %s", result.trigger, result.error)
                if not work.answer.done():
                    work.answer.set_result(result)

    def _ended(self, number: int, task: "asyncio.Task[None]") -> None:
        """Its task is over: done, failed or cancelled, also one that had not begun to run."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, LumbreError):
            self._works[number].error = error
        elif error is not None:
            _log.error("a trigger failed", exc_info=error)
            reason = f"{type(error).__name__}: {error}"
            self._works[number].error = EngineRefused(model="lumbre", reason=reason)
        ok = error is None and not task.cancelled()
        self._happened(Ended(time.monotonic(), number, ok))

    def _forget(self, work: _Work, outcome: Outcome) -> None:
        """Strike it from the list on disk, unless the next household is to tell of it."""
        if work.chain is None:
            return
        try:
            if outcome == "stopping":
                self._chains.break_off(work.chain)
            else:
                self._chains.finish(work.chain)
        except LumbreError as error:  # no reason to keep the answer back
            _log.warning("%s", error)

    async def _answer(self, model: str, work: _Work) -> None:
        """Ask the model; returns when the answer is whole, and nothing of it goes on after."""
        trigger, sampling = work.trigger, self._runtime.sampling(model)
        try:
            work.chain = self._chains.begin(trigger.name, model)
        except LumbreError as error:  # no reason not to do it
            _log.warning("%s", error)
        is_judge = trigger.result == "Judge.Result"
        said = [Message("user", trigger.text)]
        if trigger.instructions:
            said.insert(0, Message("system", trigger.instructions))
        request = ChatRequest(
            tuple(said),
            max_output_tokens=trigger.max_output_tokens,
            temperature=_JUDGES_TEMPERATURE if is_judge else sampling.temperature or 0.0,
            top_p=sampling.top_p or 1.0,
        )
        # as a task of long context it was counted when it was signalled
        is_task = trigger.name != "Reflection.LongContext"
        async with aclosing(self._runtime.chat(request, model, is_task=is_task)) as deltas:
            async for delta in deltas:
                work.text += delta.text
                work.so_far.saw(delta)

    def _result(self, answer: Answer, work: _Work) -> Result:
        trigger, usage = work.trigger, work.so_far.usage
        return Result(
            name=trigger.result,
            trigger=trigger.name,
            number=answer.number,
            model=answer.model,
            error=self._error(answer, work),
            text=work.text,
            took_s=time.monotonic() - work.begun,
            prompt_tokens=usage.prompt_tokens,
            output_tokens=usage.output_tokens,
        )

    def _error(self, answer: Answer, work: _Work) -> LumbreError | None:
        name, model = work.trigger.name, answer.model or ""
        match answer.outcome:
            case "done":
                return None
            case "failed":
                return work.error
            case "not_listed":
                listed = ", ".join(sorted(self._state.listed)) or "-"
                return TriggerRefused(
                    trigger=name,
                    reason=Sentence("triggers.not_listed", listed=listed),
                    then=Sentence("triggers.allow"),
                )
            case "no_model":
                return TriggerRefused(
                    trigger=name,
                    reason=Sentence("triggers.no_model", capability=CAPABILITIES[name]),
                    then=Sentence("triggers.models"),
                )
            case "disabled":
                return self._runtime.guards.disabled(model)
            case "too_long":
                return TookTooLong(trigger=name, model=model, limit_s=self._state.timeout_s)
            case "withdrawn" | "stopping":
                return Stopping()
