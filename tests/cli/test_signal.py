"""`lumbre signal` says what followed: a result, a notice, or what is wrong with the signal."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lumbre.core.model import Manifest
from lumbre.core.signals import SIGNALS
from lumbre.registry.add import manifest_from_file
from lumbre.registry.manifest import save_manifest
from tests.conftest import Run, environment_of

BOOK = "one two three four " * 400
QUICK = {"LUMBRE_STRAIN__BUSY_S": "0", "LUMBRE_STRAIN__ANSWER": "narrow"}


@pytest.fixture
def planner(home: Path, smollm2: Path) -> Manifest:
    """A home with a primary, and an optional model that plans."""
    primary = manifest_from_file(smollm2, "primary", model_id="main")
    moe = replace(
        primary, id="moe", role="optional_moe", capabilities=("chat", "plan", "long_context")
    )
    registry = home / "registry"
    registry.mkdir(parents=True)
    for manifest in (primary, moe):
        save_manifest(manifest, registry / f"{manifest.id}.yaml")
    return moe


def test_every_signal_is_listed_with_its_fields(lumbre: Run, home: Path) -> None:
    for language in ("en", "es", "ru"):
        told = lumbre("signal", "--lang", language)
        assert told.returncode == 0, told.stderr
        assert [line.split()[0] for line in told.stdout.splitlines()[::2]] == list(SIGNALS)
    listed = json.loads(lumbre("signal", "--json").stdout)
    assert {row["name"]: [f["name"] for f in row["fields"] if f["required"]]
            for row in listed["signals"]}["Persona.Scored"] == ["adherence", "target"]  # fmt: skip
    assert not (home / "household.json").exists(), "looking starts nothing"


def test_what_is_wrong_is_said_before_anything_starts(lumbre: Run, home: Path) -> None:
    wrong = lumbre("signal", "Plan.Generat", "text=x")
    assert (wrong.returncode, "did you mean Plan.Generate?" in wrong.stderr) == (2, True)
    wrong = lumbre("signal", "Speech.Began", "sauce=x")
    assert (wrong.returncode, "no field 'sauce' (fields: source)" in wrong.stderr) == (2, True)
    wrong = lumbre("signal", "Speech.Began", "source", "--lang", "es")
    assert (wrong.returncode, "se espera CLAVE=VALOR" in wrong.stderr) == (2, True)
    assert not (home / "household.json").exists()


@pytest.mark.usefixtures("planner")
def test_a_result_is_printed_and_its_contract_kept(lumbre: Run) -> None:
    asked = ("signal", "Plan.Generate", "text=-", "max_output_tokens=4")
    told = lumbre(*asked, text="How do I make tea?")
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip()
    assert "Plan.Result: moe" in told.stderr
    done = json.loads(lumbre(*asked, "--json", text="How do I make tea?").stdout)
    result = done["result"]
    assert set(result) == {
        "name", "trigger", "number", "ok", "error", "model", "text", "took_s",
        "prompt_tokens", "output_tokens",
    }  # fmt: skip
    assert (result["ok"], result["error"], result["model"]) == (True, None, "moe")
    refused = lumbre("signal", "Eval.NeedJudge", "text=x", "--lang", "ru")
    assert refused.returncode == 2
    assert "нет чат-модели с возможностью judge" in refused.stderr


@pytest.mark.usefixtures("planner")
def test_what_followed_is_told_at_once_and_afterwards(lumbre: Run) -> None:
    told = lumbre("signal", "Speech.Began", **QUICK)
    assert "speech has been busy for 0.0 s" in told.stdout, told.stderr
    agreed = lumbre("signal", "Judge.Agreed", "agreed=yes", **QUICK)
    assert "nothing follows" in agreed.stdout
    (notice,) = json.loads(lumbre("signal", "--json", **QUICK).stdout)["notices"]
    assert notice["notice"] == "divert_narrow"
    assert "la voz lleva" in lumbre("signal", "--lang", "es", **QUICK).stdout


@pytest.mark.usefixtures("planner")
def test_a_trigger_at_work_is_answered_when_the_household_ends_and_told_at_the_next_start(
    lumbre: Run, home: Path
) -> None:
    assert lumbre("signal", "Plan.Generate", "text=Tea.", "max_output_tokens=1").returncode == 0
    with subprocess.Popen(
        [sys.executable, "-m", "lumbre", "signal", "Reflection.LongContext", f"text={BOOK}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment_of(home),
    ) as going:
        while not leases(lumbre):
            assert going.poll() is None, going.communicate()
            os.sched_yield()
        assert lumbre("stop").returncode == 0
        _, complained = going.communicate()
    assert going.returncode == 1
    assert "the household is stopping" in complained
    assert lumbre("signal", "Speech.Ended").returncode == 0
    (left,) = json.loads(lumbre("signal", "--json").stdout)["unfinished"]
    assert (left["trigger"], left["model"]) == ("Reflection.LongContext", "moe")
    assert "Reflection.LongContext was not finished" in (home / "logs/household.log").read_text()


def leases(lumbre: Run) -> int:
    seen: dict[str, Any] = json.loads(lumbre("ps", "--json").stdout)
    return sum(model["leases"] for model in seen["models"])
