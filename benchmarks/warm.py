"""What do searching and building the prompt add to the model's own first token, when warm?

The example documents in a household with the small model: of each answer the whole time
but loading and generating, that is, the search, counting the prompt with the model's
tokenizer, and taking the sources to check against.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from lumbre.config.folders import Folders
from recording import about, figure, keep

EXAMPLES = Path(__file__).parents[1] / "examples"
LUMBRE = (sys.executable, "-m", "lumbre")
AT_MOST_MS = 150
ROUNDS = 2


def added_ms(told: dict[str, dict[str, float]]) -> float:
    timing = told["timing"]
    return 1000 * (timing["total_s"] - timing["load_s"] - timing["generate_s"])


def main() -> int:
    facts = about()
    weights = Folders.of(dict(os.environ)).weights
    questions = [
        json.loads(line)["question"]
        for line in (EXAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {
            "LUMBRE_HOME": home,
            "LUMBRE_MODELS": str(weights),
            "LUMBRE_LLM__PRIMARY__ID": "smollm2-135m-instruct-q4_1",
            "LUMBRE_ANSWERS__MAX_OUTPUT_TOKENS": "8",
        }

        def lumbre(*words: str) -> str:
            done = subprocess.run(
                [*LUMBRE, *words], env=environment, check=True, capture_output=True, text=True
            )
            return done.stdout

        try:
            lumbre("docs", "add", str(EXAMPLES / "documents"))
            lumbre("ask", questions[0])
            told = [
                json.loads(lumbre("ask", question, "--json"))
                for question in questions[:: len(questions) // 20] * ROUNDS
            ]
        finally:
            lumbre("stop")
    asked = [answer for answer in told if answer["prompt"]["used_tokens"]]
    first = [added_ms(answer) for answer in asked]
    searching = [1000 * answer["timing"]["retrieve_s"] for answer in asked]
    print(f"of it the search: {np.median(searching):.0f} ms")
    row = figure("search and prompt, median", float(np.median(first)), AT_MOST_MS, "ms")
    p95 = float(np.percentile(first, 95))
    result = {
        "figures": [row],
        "p95_ms": round(p95, 1),
        "search_median_ms": round(float(np.median(searching)), 1),
        "answers": len(asked),
    }
    keep("warm", facts, result)
    return 0 if row["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
