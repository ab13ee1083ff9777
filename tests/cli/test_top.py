"""The page of `lumbre top` says the same at any width and height, with and without colour."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.cli import live
from lumbre.cli.live import _style
from lumbre.cli.render import width_of
from lumbre.cli.top_lines import plain, wide
from lumbre.cli.top_map import lettered, stretches
from lumbre.cli.top_view import failure_told, page, short_time, why_told
from lumbre.core.errors import BeingPulled, WorkerFailed
from lumbre.pool.lease import Resting
from lumbre.server.looks import cooling_told
from lumbre.words import LANGUAGES, Language, Sentence, sentences

GB = 10**9
NAMES = st.text("abcdefghijklmnop0123456789.-_Яñ字", min_size=1, max_size=50)
BYTES = st.integers(0, 200 * GB)
SECONDS = st.floats(0, 10**7)


def model(name: str, **more: Any) -> dict[str, Any]:
    told = {
        "id": name, "role": "secondary", "state": "ready", "pid": 4711, "device": "cpu",
        "needs": {"cpu": 3 * GB}, "holds": {"cpu": 2 * GB}, "planned_bytes": 3 * GB,
        "measured_bytes": 2 * GB, "leases": 0, "slots": 1, "waiting": 0, "idle_s": 75.0,
        "loads": 3, "standing": "on_demand", "is_pinned": False, "tokens_per_s": None,
    }  # fmt: skip
    return told | more


def device(device_id: str = "cpu", **more: Any) -> dict[str, Any]:
    told = {
        "id": device_id, "name": "A processor", "total_bytes": 16 * GB, "budget_bytes": 9 * GB,
        "committed_bytes": 3 * GB, "measured_bytes": 2 * GB, "available_bytes": 8 * GB,
        "reserve_bytes": GB, "others_bytes": 4 * GB,
    }  # fmt: skip
    return told | more


def snapshot(**more: Any) -> dict[str, Any]:
    told = {
        "household": {"pid": 1234, "uptime_s": 3754.0, "measured_bytes": 85_000_000},
        "devices": [device()],
        "models": [model("one"), model("two", leases=1, tokens_per_s=43.2, state="ready")],
        "queue": [], "evictions": [], "cooling": [], "total_bytes": 4 * GB, "budget_bytes": 9 * GB,
    }  # fmt: skip
    return told | more


def shown(seen: dict[str, Any], language: Language = "en", width: int = 100, **more: Any) -> str:
    letters = lettered({}, [one["id"] for one in seen["models"]])
    return "\n".join(map(plain, page(seen, letters, language, width=width, **more)))


@st.composite
def snapshots(draw: st.DrawFn) -> dict[str, Any]:
    devices = draw(st.lists(st.sampled_from(["cpu", "gpu0", "gpu1"]), unique=True))
    parts = st.dictionaries(st.sampled_from(devices), BYTES) if devices else st.just({})
    names = draw(st.lists(NAMES, unique=True, max_size=60))
    return snapshot(
        devices=[
            device(one, name=draw(NAMES), others_bytes=draw(BYTES), total_bytes=draw(BYTES))
            for one in devices
        ],
        models=[
            model(
                name,
                needs=draw(parts),
                holds=draw(parts),
                state=draw(st.sampled_from(["starting", "ready", "stopping"])),
                standing=draw(st.sampled_from(["on_demand", "eager", "primary", "resident"])),
                is_pinned=draw(st.booleans()),
                tokens_per_s=draw(st.none() | st.floats(0, 9999)),
                idle_s=draw(SECONDS),
            )
            for name in names
        ],
        queue=draw(st.lists(st.fixed_dictionaries({"model": NAMES, "waited_s": SECONDS}))),
        evictions=draw(
            st.lists(
                st.fixed_dictionaries(
                    {
                        "ago_s": SECONDS,
                        "model": NAMES,
                        "why": st.sampled_from(["idle", "room", "hand", "pressure", "closing"]),
                        "for": st.none() | NAMES,
                    }
                )
            )
        ),
        cooling=draw(
            st.lists(
                st.fixed_dictionaries(
                    {"model": NAMES, "retry_after_s": SECONDS, "reason": st.text(max_size=200)}
                )
            )
        ),
    )


@given(
    seen=snapshots(),
    language=st.sampled_from(LANGUAGES),
    width=st.integers(40, 200),
    height=st.none() | st.integers(5, 60),
)
def test_no_page_is_wider_or_higher_than_its_terminal(
    seen: dict[str, Any], language: Language, width: int, height: int | None
) -> None:
    letters = lettered({}, [one["id"] for one in seen["models"]])
    lines = page(seen, letters, language, width=width, height=height, beside="q: end")
    assert max(map(wide, lines)) <= width
    assert height is None or len(lines) <= height
    assert all(piece.text.isprintable() for line in lines for piece in line)
    assert not any(plain(line) != plain(line).rstrip("\n") for line in lines)
    for piece in (piece for line in lines for piece in line):
        _style(piece.style)


@given(st.lists(NAMES, unique=True, max_size=30), st.integers(60, 200))
def test_every_model_has_a_row_with_its_letter_and_its_name(names: list[str], width: int) -> None:
    told = shown(snapshot(models=[model(name) for name in names]), width=width).splitlines()
    for name, letter in lettered({}, names).items():
        assert any(line.startswith(f"{letter} {name[:12]}") for line in told)


@given(st.lists(NAMES.filter(lambda name: width_of(name) <= 28), unique=True), st.integers(60, 200))
def test_a_usual_name_is_whole_however_narrow_the_terminal(names: list[str], width: int) -> None:
    told = shown(snapshot(models=[model(name) for name in names]), width=width)
    assert all(name in told for name in names)


@given(snapshots())
def test_a_memory_map_is_all_of_the_memory(seen: dict[str, Any]) -> None:
    letters = lettered({}, [one["id"] for one in seen["models"]])
    for one in seen["devices"]:
        parts = stretches(one, seen["models"], letters)
        taken = sum(part.bytes for part in parts)
        free = sum(part.bytes for part in parts if part.mark == "-")
        assert taken == one["total_bytes"] if free else taken >= one["total_bytes"]
        for told in seen["models"]:
            held = sum(p.bytes for p in parts if p.mark == letters[told["id"]])
            if list(letters.values()).count(letters[told["id"]]) == 1:
                assert held == told["holds"].get(one["id"], 0)


def test_a_bar_has_letters_dots_and_the_rest_in_proportion() -> None:
    told = shown(snapshot(models=[model("one")]), width=36)
    bar = next(line for line in told.splitlines() if line.startswith(" ["))
    assert bar == " [AAAA..----------------==########]"


def test_what_is_promised_free_and_others_is_told_in_figures() -> None:
    told = " ".join(shown(snapshot()).split())
    assert "models 3.0 GB of 9.0 GB . promised 2.0 GB - free 5.0 GB" in told
    assert "= reserve 1.0 GB # system and others 4.0 GB" in told


@given(st.lists(NAMES, unique=True, max_size=20), st.lists(NAMES, unique=True, max_size=20))
def test_a_model_keeps_its_letter_while_it_is_there(before: list[str], after: list[str]) -> None:
    first = lettered({}, before)
    second = lettered(first, [*after, *(name for name in before[::2] if name not in after)])
    assert all(second[name] == first[name] for name in second if name in first)
    assert len(set(second.values())) == len(second)


@pytest.mark.parametrize(
    ("passed_s", "told"),
    [
        (0.4, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h 0 min"),
        (90_000, "1 d 1 h"),
    ],
)  # fmt: skip
def test_times_are_short(passed_s: float, told: str) -> None:
    assert short_time(passed_s, "en") == told


def test_who_waits_is_counted_by_model_with_the_longest_wait() -> None:
    queue = [
        {"model": "big", "waited_s": 12.3},
        {"model": "big", "waited_s": 2.0},
        {"model": "small", "waited_s": 70.0},
    ]
    told = shown(snapshot(queue=queue))
    assert "Waiting for a model: 3\n  big    2   12 s\n  small  1  1 min" in told


def test_an_eviction_is_told_with_its_reason_in_words() -> None:
    evictions = [
        {"ago_s": 12.0, "model": "old", "why": "room", "for": "new"},
        {"ago_s": 300.0, "model": "other", "why": "idle", "for": None},
    ]
    told = shown(snapshot(evictions=evictions), "es")
    assert "old    hace 12 s   para hacer sitio a new" in told
    assert "other  hace 5 min  pasó su tiempo sin uso" in told


def test_every_sentence_of_the_page_is_said_by_its_code() -> None:
    folder = Path(live.__file__).parent
    files = [*folder.glob("top_*.py"), folder / "verbs" / "top.py"]
    code = "".join(path.read_text(encoding="utf-8") for path in files)
    for name in sentences("top"):
        assert f"top.{name}" in code or f'f"top.{name.split(".")[0]}.' in code, name


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_and_standing_has_words(language: Language) -> None:
    whys = [name for name in sentences("top") if name.startswith("why.")]
    for why in ("idle", "room", "hand", "pressure", "closing"):
        assert f"why.{why}" in whys
        assert why_told({"why": why, "for": None}, language) != why
    assert why_told({"why": "something new", "for": None}, language) == "something new"


def test_what_cools_down_is_told_with_when_and_why() -> None:
    cooling = [{"model": "bad", "retry_after_s": 42.0, "reason": "it ended with status 1"}]
    assert "bad  in 42 s  it ended with status 1" in shown(snapshot(cooling=cooling))


def test_a_failure_is_told_in_the_reader_s_language() -> None:
    failure = WorkerFailed(model="bad", reason=Sentence("docs.empty"), log="bad.log")
    (cooling,) = cooling_told([Resting("bad", 42.0, failure)])
    told = shown(snapshot(cooling=[json.loads(json.dumps(cooling))]), "es")
    assert "bad  en 42 s  el archivo está vacío" in told
    (other,) = cooling_told([Resting("bad", 1.0, BeingPulled(model="bad"))])
    assert failure_told(other, "ru") == BeingPulled(model="bad").message("ru")


def test_a_low_terminal_keeps_memory_and_models_and_lets_the_past_go() -> None:
    evictions = [{"ago_s": 1.0, "model": f"m{n}", "why": "idle", "for": None} for n in range(9)]
    seen = snapshot(evictions=evictions)
    assert "and 4 more" in shown(seen)
    low = shown(seen, height=8)
    assert len(low.splitlines()) <= 8
    assert "Last unloaded" not in low
    assert re.search(r"^A one .*ready", low, re.MULTILINE)
    assert re.search(r"^B two .*ready", low, re.MULTILINE)


def test_nothing_loaded_is_said() -> None:
    assert "No model is loaded." in shown(snapshot(models=[]))


def test_a_pinned_model_is_said_to_be_pinned() -> None:
    told = shown(snapshot(models=[model("one", is_pinned=True)]), width=120)
    assert re.search(r"^A one +ready +pinned", told, re.MULTILINE)


def test_what_stands_in_a_name_is_no_order_to_the_terminal() -> None:
    name = "bad\x1b]0;owned\x07"
    lines = page(snapshot(models=[model(name)]), {name: "A"}, "en", width=90)
    assert "\x1b" not in "".join(map(plain, lines))
