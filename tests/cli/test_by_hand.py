"""A person loads, unloads and pins models by hand, and `ps` tells scripts what there is."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import TINY
from tests.conftest import Run, environment_of

TINIEST = TINY["LUMBRE_LLM__PRIMARY__ID"]


@pytest.fixture
def tiny(lumbre: Run, smollm2: Path) -> Run:
    """The command line with the smallest household."""

    def run(*words: str, **more: Any) -> "subprocess.CompletedProcess[str]":
        return lumbre(*words, **(TINY | more))

    return run


def told(done: "subprocess.CompletedProcess[str]") -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


CONTRACT = {
    "id": str, "state": str, "pid": int, "device": str, "planned_bytes": int,
    "measured_bytes": int, "leases": int, "idle_s": float, "loads": int,
}  # fmt: skip


def test_a_model_is_loaded_seen_and_unloaded(tiny: Run) -> None:
    loaded = told(tiny("load", "primary", "--json"))
    assert (loaded["model"], loaded["was_loaded"], loaded["device"]) == (TINIEST, False, "cpu")
    assert loaded["measured_bytes"] > 0
    assert loaded["load_s"] > 0
    assert told(tiny("load", TINIEST, "--json"))["was_loaded"]

    seen = told(tiny("ps", "--json"))
    assert {"household", "models", "total_bytes", "budget_bytes"} <= set(seen)
    assert {name: type(seen["household"][name]) for name in ("pid", "uptime_s")} == {
        "pid": int,
        "uptime_s": float,
    }
    (model,) = seen["models"]
    assert {name: type(model[name]) for name in CONTRACT} == CONTRACT
    assert (model["id"], model["state"], model["device"]) == (TINIEST, "ready", "cpu")
    assert (model["leases"], model["loads"]) == (0, 1)
    assert seen["total_bytes"] == model["measured_bytes"]
    assert seen["budget_bytes"] > model["planned_bytes"]
    os.kill(model["pid"], 0)

    unloaded = told(tiny("unload", "primary", "--json"))
    assert (unloaded["was_loaded"], unloaded["is_wanted"]) == (True, False)
    assert 0 <= unloaded["freed_bytes"] <= unloaded["held_bytes"]
    with pytest.raises(ProcessLookupError):
        os.kill(model["pid"], 0)
    assert told(tiny("ps", "--json"))["models"] == []
    top = told(tiny("top", "--json"))
    assert [(one["model"], one["why"]) for one in top["evictions"]] == [(TINIEST, "hand")]

    again = tiny("unload", "primary")
    assert (again.returncode, again.stdout) == (0, f"{TINIEST} is not loaded\n")


def test_where_nothing_runs_nothing_is_started(tiny: Run, home: Path) -> None:
    assert told(tiny("ps", "--json"))["household"] is None
    for words in (("top",), ("unload", "primary"), ("pin",)):
        done = tiny(*words)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(done.stdout.splitlines()) == 1
    seen = told(tiny("top", "--json"))
    assert (seen["household"], seen["models"], seen["evictions"]) == (None, [], [])
    assert not (home / "household.json").exists()


def test_a_pinned_model_is_kept_from_being_unloaded_until_it_is_let_go_of(
    tiny: Run, home: Path
) -> None:
    first = tiny("pin", "primary", "--lang", "es")
    assert first.stdout == f"{TINIEST}: fijado\n"
    assert f"lumbre load {TINIEST}" in first.stderr
    why = tiny("config", "--why", "pool.pinned").stdout
    assert TINIEST in why
    assert "config.toml:" in why

    tiny("load", "primary")
    assert told(tiny("ps", "--json"))["models"][0]["is_pinned"]  # the setting, at its start
    refused = tiny("unload", "primary")
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1] == f"hint: lumbre pin --off {TINIEST}"
    listed = told(tiny("pin", "--json"))
    assert listed["models"] == [{"id": TINIEST, "state": "ready"}]

    pid = told(tiny("ps", "--json"))["household"]["pid"]
    assert tiny("pin", "--off", "primary").stdout == f"{TINIEST}: no longer pinned\n"
    assert tiny("pin", "--off", "primary").stdout == f"{TINIEST} is not pinned\n"
    assert told(tiny("unload", "primary", "--json"))["was_loaded"]
    assert told(tiny("ps", "--json"))["household"]["pid"] == pid, "told, and not started anew"
    assert told(tiny("pin", TINIEST, "--json"))["pinned"] == [TINIEST]
    assert "pinned" in (home / "config.toml").read_text()


def test_of_two_that_are_pinned_at_once_neither_is_lost(tiny: Run, home: Path, qwen: Path) -> None:
    both = (TINIEST, "qwen2.5-coder-1.5b-instruct-q4_k_m")
    assert told(tiny("pin", "--off", "primary", "--json"))["pinned"] == []
    for off in ((), ("--off",)):
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "lumbre", "pin", *off, model],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                env=environment_of(home, **TINY),
            )
            for model in both
        ]
        for pinning in running:
            _, errors = pinning.communicate(timeout=60)
            assert pinning.returncode == 0, errors
        written = tomllib.loads((home / "config.toml").read_text())["pool"]["pinned"]
        assert sorted(written) == ([] if off else sorted(both))


def test_pinned_models_that_do_not_fit_together_are_told_with_figures(
    tiny: Run, qwen: Path
) -> None:
    small = {"LUMBRE_MEMORY__MAX_RAM_GB": "1.45"}
    alone = tiny("pin", "primary", **small)
    assert "at once" not in alone.stderr
    done = tiny("pin", "qwen2.5-coder-1.5b-instruct-q4_k_m", **small)
    assert done.returncode == 0
    assert "not all that is to stay can be loaded at once" in done.stderr
    assert re.search(r"needs 1[.]\d GB of .+, and 1[.]\d GB are left", done.stderr), done.stderr
    assert "lumbre load" not in done.stderr


def test_what_does_not_fit_is_refused_with_figures(tiny: Run) -> None:
    done = tiny("load", "primary", LUMBRE_MEMORY__MAX_RAM_GB="0.05")
    assert done.returncode == 3
    assert "MB" in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ("load nobody", "nobody", "lumbre models list"),
        ("unload nobody", "nobody", "lumbre models list"),
        ("pin nobody", "nobody", "lumbre models list"),
        ("pin --off", "MODELO", "lumbre pin --help"),
        ("load", "MODELO", "lumbre load --help"),
        ("unload", "MODELO", "lumbre unload --help"),
        ("pin chat", "varios modelos", "lumbre pin --help"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_a_hint(
    words: str, message: str, hint: str, lumbre: Run
) -> None:
    done = lumbre(*words.split(), "--lang", "es")
    assert done.returncode == 2
    said, shown = done.stderr.splitlines()
    assert message in said
    assert hint in shown


def test_a_model_without_its_weights_is_told_the_command_that_brings_them(
    lumbre: Run, tmp_path: Path
) -> None:
    empty = str(tmp_path / "no weights")
    done = lumbre("load", "primary", LUMBRE_MODELS=empty)
    assert done.returncode == 2
    assert "lumbre models pull" in done.stderr
