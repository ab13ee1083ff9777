"""The demo answers its three questions from the example documents, and every quote stands there."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from examples.demo import QUESTIONS
from lumbre.words import say
from tests.conftest import Run, environment_of

WANTED = {
    "es": ("contrato-alquiler.md", "870"),
    "ru": ("dogovor-internet.txt", "300"),
    "en": ("employment-handbook.md", "26"),
}
"""The document each answer comes from, and the fact in it."""


@pytest.mark.slow
def test_the_three_questions_are_answered_with_quotes_that_stand_in_their_documents(
    lumbre: Run, examples: Path, qwen: Path
) -> None:
    documents = str(examples / "documents")
    assert lumbre("docs", "add", documents).returncode == 0
    for language, question in QUESTIONS:
        told = lumbre("ask", question, "--docs", documents, "--json", timeout_s=240)
        assert told.returncode == 0, told.stderr
        answer: dict[str, Any] = json.loads(told.stdout)
        name, fact = WANTED[language]
        assert answer["answered"]
        assert answer["language"] == language
        assert fact in answer["answer"]
        assert Path(answer["citations"][0]["document"]).name == name
        for citation in answer["citations"]:
            text = Path(citation["document"]).read_text(encoding="utf-8")
            assert text[citation["start"] : citation["end"]] == citation["quote"]
            assert f"[{citation['id']}]" in answer["answer"]
        prompt = answer["prompt"]
        assert sum(part["tokens"] for part in prompt["parts"]) == prompt["used_tokens"]
        assert prompt["used_tokens"] + 150 <= prompt["window_tokens"]
        assert answer["memory"]["peak_bytes"] > qwen.stat().st_size
    refused = lumbre("ask", "¿Quién ganó el mundial de fútbol de 1998?", "--json", timeout_s=240)
    answer = json.loads(refused.stdout)
    assert refused.returncode == 0
    assert not answer["answered"]
    assert answer["citations"] == []
    assert say("answer.not_in_documents", "es") in answer["answer"]


@pytest.mark.slow
def test_the_tiny_demo_runs_from_an_empty_home(home: Path, smollm2: Path, examples: Path) -> None:
    lumbre = Path(sys.executable).with_name("lumbre")
    if not lumbre.exists():
        pytest.skip("lumbre is not installed beside this Python: `make setup`")
    environment = environment_of(home)
    done = subprocess.run(
        [sys.executable, str(examples / "demo.py"), "--household", "tiny"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=240,
        check=False,
    )
    subprocess.run([str(lumbre), "stop"], env=environment, capture_output=True, check=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("$ lumbre") == 5
    assert "manual-lavadora.pdf" in done.stdout
