"""A plan shows every byte it reserves, who gets none and why; a resident without any fails it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.cli.plan_bars import Part, draw, parts_of
from lumbre.cli.plan_json import plan_told
from lumbre.cli.plan_view import plan_lines, verdict
from lumbre.cli.plan_why import cache_formula, why_lines
from lumbre.core.machine import CPU, Device, Host
from lumbre.core.plan import Choice, Footprint, Placement, Plan, Planned, Refused, Total
from lumbre.planner.wish import Wish
from lumbre.registry.known import find_known
from lumbre.words import LANGUAGES, Language, Sentence
from tests.conftest import Run

GB = 10**9
HOST = Host(
    name="bench",
    devices=(
        Device(id=CPU, kind="cpu", name="A processor", total_bytes=32 * GB, free_bytes=28 * GB),
        Device(
            id="gpu0", kind="cuda", name="A card", total_bytes=12 * GB, free_bytes=11 * GB,
            compute_capability="8.9",
        ),
    ),
    cores=8,
    architecture="x86_64",
    is_described=True,
)  # fmt: skip
ALPHA = Planned(
    id="alpha",
    role="primary",
    choice=Choice(context_tokens=4096, kv_type="q8_0", layers=(("gpu0", 24),)),
    placements=(
        Placement(CPU, 8, Footprint(weights_bytes=2 * GB, repack_bytes=GB, overhead_bytes=GB // 4)),
        Placement("gpu0", 24, Footprint(weights_bytes=6 * GB, kv_bytes=GB, compute_bytes=GB // 2)),
    ),
    residency="resident",
    basis="formula",
    tokens_per_s=31.4,
    notes=(Sentence("plan.note.kv", kv_type="q8_0", wished="f16"),),
)
BETA, GAMMA = (
    Planned(
        id=name,
        role="secondary",
        choice=Choice(context_tokens=2048),
        placements=(Placement(CPU, 16, Footprint(weights_bytes=size * GB, kv_bytes=GB)),),
        residency="shared_slot",
        basis="oracle",
        slot="slot1",
    )
    for name, size in (("beta", 5), ("gamma", 9))
)
DELTA = Refused(
    id="delta",
    role="embedding",
    reason=Sentence(
        "plan.refused.alone",
        model="delta", needed_bytes=40 * GB, available_bytes=26 * GB, where="gpu0",
    ),
    would_fit=(Sentence("plan.fit.read", size_bytes=12 * GB),),
    must_be_resident=True,
)  # fmt: skip
PLAN = Plan(
    host=HOST,
    models=(ALPHA, BETA, GAMMA),
    refused=(DELTA,),
    totals=(
        Total(
            device=CPU, used_bytes=13 * GB + GB // 4, limit_bytes=27 * GB, system_bytes=5 * GB,
            min_bytes=3 * GB, typical_bytes=12 * GB, max_bytes=13 * GB + GB // 4,
        ),
        Total(
            device="gpu0", used_bytes=7 * GB + GB // 2, limit_bytes=10 * GB, system_bytes=2 * GB,
            min_bytes=7 * GB, typical_bytes=7 * GB, max_bytes=7 * GB + GB // 2,
        ),
    ),
    remote=("omega",),
)  # fmt: skip
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def shown(plan: Plan = PLAN, language: Language = "en", width: int = 80) -> str:
    return "\n".join(plan_lines(plan, language, width=width, coloured=False))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [30, 40, 60, 80, 100])
def test_no_line_of_a_plan_is_wider_than_the_terminal(language: Language, width: int) -> None:
    wish = Wish(id="alpha", role="primary", facts=None, beside_bytes=GB // 10)
    lines = [
        *shown(language=language, width=width).splitlines(),
        *why_lines(PLAN, wish, language, width=width),
    ]
    assert all(len(line) <= width for line in lines)


def test_a_narrow_terminal_gets_each_figure_after_its_name() -> None:
    text = " ".join(shown(width=40).split())
    assert "cpu A processor, 8 threads 32.0 GB, 28.0 GB free" in text
    assert "gpu0 layers 24, weights 6.0 GB, context 1.0 GB, other 500 MB, total 7.5 GB" in text
    assert "cpu stay loaded 3.0 GB, usual 12.0 GB, most 13.2 GB, limit 27.0 GB" in text
    named = replace(GAMMA, id="a-name-that-is-nearly-as-long-as-a-line")
    legend = shown(replace(PLAN, models=(ALPHA, BETA, named)), width=45).splitlines()
    begin = legend.index("  C a-name-that-is-nearly-as-long-as-a-line")
    assert legend[begin + 1] == "    10.0 GB (by turns with B)"
    assert "\N{NO-BREAK SPACE}" not in text


def test_where_nothing_fits_the_reason_comes_first_and_nothing_empty_is_shown() -> None:
    text = shown(replace(PLAN, models=(), remote=()))
    assert "free\n\nWITHOUT A PLACE\n  delta does not fit" in text
    assert not any(part in text for part in ("MODELS", "MEMORY", "stay loaded  ", "[---"))
    remote = shown(replace(PLAN, models=(), refused=()))
    assert "\n\nMODELS\nomega: runs elsewhere" in remote
    assert remote.endswith("\n\nEverything fits.")
    gone = Sentence("planning.no_weights", model="delta")
    unweighed = replace(DELTA, reason=gone, would_fit=())
    assert "nothing of it" not in shown(replace(PLAN, refused=(unweighed,)))


def test_a_model_that_was_measured_is_not_said_to_have_been_full() -> None:
    text = " ".join(shown(replace(PLAN, models=(replace(ALPHA, basis="calibrated"),))).split())
    assert "about 31 tokens/s, corrected by measurement" in text
    assert "corrected by measurement: the estimate, with what this model was measured" in text


def test_every_model_and_every_byte_of_it_is_in_the_table() -> None:
    lines = [" ".join(line.split()) for line in shown().splitlines()]
    for row in (
        "cpu 8 3.0 GB - 250 MB 3.2 GB",
        "gpu0 24 6.0 GB 1.0 GB 500 MB 7.5 GB",
        "cpu 16 5.0 GB 1.0 GB - 6.0 GB",
        "cpu 16 9.0 GB 1.0 GB - 10.0 GB",
        "cpu 5.0 GB",
        "gpu0 2.0 GB",
        "cpu 3.0 GB 12.0 GB 13.2 GB 27.0 GB 5.0 GB",
        "gpu0 7.0 GB 7.0 GB 7.5 GB 10.0 GB 2.0 GB",
    ):
        assert row in lines
    text = shown()
    assert "A alpha: primary, stays loaded, 4096 tokens (q8_0), about 31 tokens/s, formula" in text
    assert "B beta: secondary, takes turns (slot1), 2048 tokens, asked of the engine" in text
    assert "omega: runs elsewhere" in text
    assert "formula (not measured on this kind of device)" in text
    assert "alpha: cache of the talk in q8_0 instead of f16" in text
    assert "alpha: 1.0 GB of the weights are a second copy" in text


def test_who_has_no_place_is_told_with_the_reason_and_what_would_fit() -> None:
    text = " ".join(shown().split())
    assert "delta does not fit this machine: it needs 40.0 GB of gpu0" in text
    assert "would fit: with its file read rather than mapped: 12.0 GB" in text
    assert text.endswith("Models that are to stay loaded do not fit: delta")
    nothing = replace(PLAN, refused=(replace(DELTA, would_fit=()),))
    assert "nothing of it would fit here" in shown(nothing)


def test_the_verdict_tells_a_resident_from_the_others() -> None:
    (placeless,) = verdict(PLAN, "en")
    assert placeless == "Models that are to stay loaded do not fit: delta"
    on_demand = replace(PLAN, refused=(replace(DELTA, must_be_resident=False),))
    assert verdict(on_demand, "en") == ("Not everything fits: delta",)
    assert verdict(replace(PLAN, refused=()), "en") == ("Everything fits.",)


def test_a_resident_that_takes_turns_is_not_said_to_have_no_place() -> None:
    turning = replace(PLAN, models=(ALPHA, replace(BETA, must_be_resident=True), GAMMA))
    told = "Have to take turns, though they were to stay loaded: beta"
    assert verdict(replace(turning, refused=()), "en") == (told,)
    assert verdict(turning, "en") == (
        "Models that are to stay loaded do not fit: delta",
        told,
    )


def test_the_machine_is_told_first() -> None:
    lines = shown(replace(PLAN, host=replace(HOST, driver="570.1", cuda="12.8"))).splitlines()
    assert [" ".join(line.split()) for line in lines[:4]] == [
        "bench (described in a file, not this machine)",
        "cpu A processor, 8 threads 32.0 GB, 28.0 GB free",
        "gpu0 A card, compute 8.9 12.0 GB, 11.0 GB free",
        "graphics driver 570.1, CUDA 12.8",
    ]


def test_a_household_without_models_says_what_to_do() -> None:
    empty = Plan(host=HOST)
    assert "--models" in shown(empty)


def test_colours_change_no_letter() -> None:
    coloured = "\n".join(plan_lines(PLAN, "en", width=80, coloured=True))
    assert "\x1b[" in coloured
    assert ESCAPE.sub("", coloured) == shown()


def test_a_bar_needs_no_utf_8() -> None:
    bars = [line for line in shown().splitlines() if line.startswith("  [")]
    assert len(bars) == len(PLAN.totals)
    assert all(line.isascii() for line in bars)


def test_a_bar_has_a_stretch_for_each_by_its_size() -> None:
    on_cpu = parts_of(PLAN, PLAN.totals[0], "en")
    assert [(part.letter, part.bytes) for part in on_cpu] == [
        ("A", 3 * GB + GB // 4),
        ("C", 10 * GB),
        ("-", 13 * GB + 3 * GB // 4),
        ("#", 5 * GB),
    ]
    assert on_cpu[1].others == ("B",)
    assert draw(on_cpu, 32) == "AAACCCCCCCCCC--------------#####"
    assert "C gamma 10.0 GB (by turns with B)" in shown()


@given(sizes=st.lists(st.integers(0, 10**12), min_size=1, max_size=40), cells=st.integers(1, 120))
def test_a_bar_is_as_long_as_asked_and_forgets_nobody(sizes: list[int], cells: int) -> None:
    parts = [Part(chr(ord("a") + n % 26), "", size) for n, size in enumerate(sizes)]
    drawn = draw(parts, cells)
    assert len(drawn) == cells
    if len(parts) <= cells:
        assert {part.letter for part in parts if part.bytes} <= set(drawn)


def test_the_json_is_the_contract() -> None:
    told = plan_told(PLAN, "en")
    assert list(told) == ["host", "budget", "models", "refused", "fits", "totals"]
    assert list(told["host"]["devices"][0]) == [
        "id", "kind", "total_bytes", "free_bytes", "compute_capability",
    ]  # fmt: skip
    assert told["budget"] == {"cpu": 27 * GB, "gpu0": 10 * GB}
    assert told["fits"] is False
    assert list(told["models"][0]) == [
        "id", "placements", "total_bytes", "context_tokens", "slots", "residency", "basis",
    ]  # fmt: skip
    assert list(told["totals"][0]) == [
        "device", "used_bytes", "limit_bytes", "system_bytes",
        "min_bytes", "typical_bytes", "max_bytes",
    ]  # fmt: skip
    (refused,) = told["refused"]
    assert list(refused) == ["id", "reason", "would_fit"]
    assert refused["would_fit"] == ["with its file read rather than mapped: 12.0 GB"]
    assert json.loads(json.dumps(told)) == told


def test_the_four_parts_of_a_placement_are_all_of_its_bytes() -> None:
    for model in plan_told(PLAN, "es")["models"]:
        parts = [
            placement[name]
            for placement in model["placements"]
            for name in ("weights_bytes", "kv_bytes", "compute_bytes", "overhead_bytes")
        ]
        assert sum(parts) == model["total_bytes"]
    assert plan_told(PLAN, "es")["models"][0]["placements"][0]["repacked_bytes"] == GB


def test_why_tells_every_part_and_what_was_given_up() -> None:
    wish = Wish(id="alpha", role="primary", facts=None, beside_bytes=GB // 10)
    text = " ".join(" ".join(why_lines(PLAN, wish, "en", width=80)).split())
    for told in (
        "alpha: 10.8 GB",
        "on cpu, 8 layers: 3.2 GB",
        "second copy 1.0 GB",
        "on gpu0, 24 layers: 7.5 GB",
        "context 1.0 GB",
        "computing 500 MB",
        "Basis: formula (not measured on this kind of device).",
        "Given up so that it fits: cache of the talk in q8_0 instead of f16",
    ):
        assert told in text
    refused = why_lines(PLAN, Wish(id="delta", role="embedding", facts=None), "en", width=80)
    assert "would fit: with its file read rather than mapped: 12.0 GB" in "\n".join(refused)


def test_why_counts_no_layers_of_a_model_that_has_none() -> None:
    voice = Planned(
        id="voice",
        role="stt",
        choice=Choice(context_tokens=0),
        placements=(Placement(CPU, 0, Footprint(weights_bytes=2 * GB)),),
        residency="on_demand",
        basis="formula",
    )
    wish = Wish(id="voice", role="stt", facts=None, fixed_bytes=2 * GB)
    told = list(why_lines(replace(PLAN, models=(voice,)), wish, "en", width=80))
    assert "on cpu: 2.0 GB" in told
    assert not any("layers" in line for line in told)


def test_the_formula_of_a_talk_is_written_with_its_numbers() -> None:
    def formula(name: str, **choice: object) -> str:
        known = find_known(name)
        assert known
        planned = replace(ALPHA, choice=replace(Choice(context_tokens=4096), **choice))  # type: ignore[arg-type]
        wish = Wish(id=known.id, role=known.role, facts=known.facts, embeds=name == "bge-m3")
        return cache_formula(wish, planned, "en")

    assert formula("llama-3.1-8b") == "32 layers x 2048 numbers x 4096 tokens x 2 bytes (f16)"
    assert formula("qwen3-8b", kv_type="q8_0").endswith("x 34/32 bytes (q8_0)")
    assert formula("gpt-oss-20b") == (
        "12 layers x 1024 numbers x 4096 tokens x 2 bytes (f16) + "
        "12 layers x 1024 numbers x 256 tokens (they look back 128) x 2 bytes (f16)"
    )
    assert "10 layers with a state of 16 kB for each slot" in formula("lfm2-1.2b")
    assert formula("bge-m3") == "nothing"


def test_a_plan_of_this_machine_is_made_and_told_both_ways(lumbre: Run) -> None:
    told = lumbre("plan", "--json")
    assert told.returncode == 0, told.stderr
    plan = json.loads(told.stdout)
    assert plan["fits"] is True
    assert plan["host"]["devices"][0]["id"] == CPU
    for model in plan["models"]:
        assert model["total_bytes"] == sum(
            placement[part]
            for placement in model["placements"]
            for part in ("weights_bytes", "kv_bytes", "compute_bytes", "overhead_bytes")
        )
    for total in plan["totals"]:
        assert total["min_bytes"] <= total["typical_bytes"] <= total["max_bytes"]
        assert total["max_bytes"] == total["used_bytes"] <= total["limit_bytes"]
    page = lumbre("plan", "--lang", "es")
    assert page.returncode == 0, page.stderr
    assert page.stdout.rstrip().endswith("Todo cabe.")
    assert "\x1b" not in page.stdout


def test_a_resident_without_a_place_ends_with_status_3(lumbre: Run) -> None:
    asked = ("plan", "--machine", "cpu-16gb", "--models", "mistral-small-24b")
    done = lumbre(*asked)
    assert done.returncode == 3
    assert done.stdout.rstrip().endswith("do not fit: mistral-small-24b-q4_k_m")
    assert "would fit:" in done.stdout
    told = lumbre(*asked, "--json")
    assert told.returncode == 3
    (refused,) = json.loads(told.stdout)["refused"]
    assert refused["id"] == "mistral-small-24b-q4_k_m"
    assert refused["would_fit"]


def test_the_most_context_that_fits_is_found(lumbre: Run) -> None:
    done = lumbre(
        "plan", "--machine", "cpu-16gb", "--models", "llama-3.1-8b", "--context", "max", "--json"
    )
    (model,) = json.loads(done.stdout)["models"]
    assert 4096 < model["context_tokens"] <= 131072


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--context", "0"), "from 512 up, or max; not 0"),
        (("--context", "-5"), "not -5"),
        (("--context", "many"), "not many"),
        (("--context", "٤٠٩٦"), "not ٤٠٩٦"),
        (("--models", "solar", "--context", "8192"), "was trained for 4096 tokens"),
        (("--models", "llama-3.3-70"), "nearest: llama-3.3-70b"),
        (("--models", " , "), "at least one"),
        (("--models", "solar", "--household", "rtx-5090"), "exclude each other"),
        (("--why", "x", "--json"), "exclude each other"),
        (("--models", "solar", "--why", "nobody"), "it is not in this plan"),
        (("--machine", "nowhere"), "no machine and no file called nowhere"),
        (("--household", "nobody"), "nobody"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_one_line(
    lumbre: Run, words: tuple[str, ...], said: str
) -> None:
    done = lumbre("plan", *words)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_a_context_asked_of_models_that_do_not_talk_is_told_to_mean_nothing(lumbre: Run) -> None:
    asked = ("plan", "--machine", "cpu-16gb", "--context", "100000", "--models")
    done = lumbre(*asked, "bge-m3")
    assert done.returncode == 0, done.stderr
    assert "--context says nothing of a model that does not talk: bge-m3-q8_0" in done.stdout
    assert "--context says" not in lumbre(*asked, "bge-m3,llama-3.1-8b").stdout


def test_weights_that_lie_are_told_and_the_others_are_planned(lumbre: Run, tmp_path: Path) -> None:
    lie = tmp_path / "SmolLM2-135M-Instruct.Q4_1.gguf"
    with lie.open("wb") as file:
        file.truncate(98_362_432)  # as large as it should be, and nothing in it
    models = "smollm2-135m-instruct-q4_1,qwen3-0.6b"
    done = lumbre("plan", "--models", models, LUMBRE_MODELS=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "smollm2-135m-instruct-q4_1: nothing is known of it to plan with" in done.stdout
    assert "A qwen3-0.6b-q8_0: micro" in done.stdout
