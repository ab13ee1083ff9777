"""Advice names a model, its licence and its figures; where there is none, all is well."""

import json
from pathlib import Path

import pytest

from tests.conftest import Run

KEYS = [
    "kind", "text", "model", "device", "candidate", "download_bytes", "size_bytes", "tokens_per_s",
]  # fmt: skip


def test_a_small_model_on_a_large_card_is_told_what_would_fit_better(lumbre: Run) -> None:
    told = lumbre("advise", "--machine", "7950x-5090", "--json")
    assert told.returncode == 0, told.stderr
    advice = json.loads(told.stdout)["advice"]
    assert advice
    for one in advice:
        assert list(one) == KEYS
        assert one["kind"] == "larger"
        assert one["model"] == "qwen2.5-coder-1.5b-instruct-q4_k_m"
        assert one["candidate"] in one["text"]
        assert one["download_bytes"] > 10 * 1_117_320_768
        assert one["tokens_per_s"] >= 10
    assert any("coder" in one["candidate"] for one in advice), "the household's model is for code"


@pytest.mark.parametrize(
    ("language", "title"), [("en", "ADVICE"), ("es", "CONSEJOS"), ("ru", "СОВЕТЫ")]
)
def test_advice_is_told_with_licence_and_source(lumbre: Run, language: str, title: str) -> None:
    done = lumbre("--lang", language, "advise", "--household", "5070ti-2060", COLUMNS="80")
    assert done.returncode == 0, done.stderr
    assert f"\n{title}\n" in done.stdout
    assert "Qwen/Qwen3-30B-A3B-GGUF" in done.stdout
    assert "Apache-2.0" in done.stdout
    assert "lumbre models add hf:Qwen/Qwen3-30B-A3B-GGUF\n" in done.stdout
    told = " ".join(done.stdout.split())
    assert "lumbre models add hf:ggml-org/gpt-oss-20b-GGUF " in told
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_nothing_that_cannot_be_had_is_advised(lumbre: Run) -> None:
    for household in ("cpu-16gb", "5070ti-2060", "rtx-5090"):
        told = lumbre("advise", "--household", household, "--json")
        names = {one["candidate"] for one in json.loads(told.stdout)["advice"]}
        assert not names & {"gpt-oss-20b-merged-mxfp4", "solar-10.7b-q4_k_m"}
        assert not any(name and "coder" in name for name in names)


def test_a_household_at_its_best_is_told_so(lumbre: Run) -> None:
    done = lumbre("advise", "--household", "rtx-5090")
    assert done.returncode == 0
    assert "Nothing to change" in done.stdout
    assert json.loads(lumbre("advise", "--household", "rtx-5090", "--json").stdout) == {
        "advice": []
    }


def test_what_has_no_place_is_named_first(lumbre: Run, tmp_path: Path) -> None:
    file = tmp_path / "large.toml"
    file.write_text('[[models]]\nid = "llama-3.3-70b"\nrole = "primary"\n', encoding="utf-8")
    done = lumbre("advise", "--machine", "cpu-16gb", "--household", str(file))
    assert done.returncode == 0, done.stderr
    assert "these have no place, `lumbre plan` says why: llama-3.3-70b-q4_k_m" in done.stdout


@pytest.mark.parametrize(
    "words", [("--machine", "nowhere"), ("--household", "nobody"), ("--context", "5")]
)
def test_what_cannot_be_asked_is_refused(lumbre: Run, words: tuple[str, ...]) -> None:
    done = lumbre("advise", *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
