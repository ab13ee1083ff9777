"""Hear a signal, and tell what followed: notices of the guards, and the result of a trigger."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import asdict
from typing import Any

from lumbre.core.errors import BadArguments
from lumbre.core.signals import JudgeAgreed, Result, Signal, Trigger, parse
from lumbre.pool.guards.guards import Notice
from lumbre.runtime import Runtime
from lumbre.server.asked import text
from lumbre.server.errors import as_json
from lumbre.triggers import Triggers
from lumbre.words import Language, Sentence, say

Event = dict[str, Any]


def asked(body: Mapping[str, Any]) -> Signal:
    """The signal of a request: its `name` and its `fields`.

    Raises:
        BadSignal: it does not exist, or a field of it is wrong.
    """
    fields = body.get("fields", {})
    if not isinstance(fields, dict):
        raise BadArguments(reason=f"fields: {fields!r}")
    return parse(text(body, "name"), fields)


async def hear(
    signal: Signal, runtime: Runtime, triggers: Triggers, language: Language
) -> AsyncGenerator[Event]:
    """What follows from a signal; whoever stops listening ends the work it asked for."""
    for notice in await runtime.signal(signal):
        yield {"event": "notice", **notice_told(notice, language)}
    if isinstance(signal, JudgeAgreed):
        triggers.tally.heard(agreed=signal.agreed)
    result = None
    if isinstance(signal, Trigger):
        yield {"event": "phase", "name": "working"}
        result = result_told(await triggers.send(signal), language)
    yield {"event": "done", "name": signal.name, "result": result}


def lately(runtime: Runtime, triggers: Triggers, language: Language) -> Event:
    """What the guards decided, oldest first, and what the household before left unfinished."""
    return {
        "notices": [notice_told(notice, language) for notice in runtime.guards.notices],
        "unfinished": [
            {**asdict(left), "message": _said(left.told(), language)}
            for left in triggers.unfinished
        ],
    }


def notice_told(notice: Notice, language: Language) -> Event:
    """One decision: when, which, with what figures, and in words."""
    return {
        "at": notice.at,
        "notice": notice.told.key.removeprefix("guards."),
        "facts": dict(notice.told.facts),
        "message": _said(notice.told, language),
    }


def result_told(result: Result, language: Language) -> Event:
    """The contract of a trigger's result."""
    error = as_json(result.error, language)["error"] if result.error else None
    return {
        "name": result.name,
        "trigger": result.trigger,
        "number": result.number,
        "ok": result.ok,
        "error": error,
        "model": result.model,
        "text": result.text,
        "took_s": round(result.took_s, 3),
        "prompt_tokens": result.prompt_tokens,
        "output_tokens": result.output_tokens,
    }


def _said(sentence: Sentence, language: Language) -> str:
    return say(sentence.key, language, **sentence.facts)
