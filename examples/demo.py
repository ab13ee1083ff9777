"""The demo: what a newcomer would type, typed for them and timed."""

import argparse
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
LUMBRE = Path(sys.executable).with_name("lumbre")
QUESTIONS = (
    ("es", "¿De cuánto es la fianza del piso y cuándo se devuelve?"),
    ("ru", "Какая скорость интернета указана в договоре?"),
    ("en", "How many days of annual leave does an employee get?"),
)


def lumbre(*words: str) -> None:
    """Show a command and run it; the demo ends where one fails."""
    print(f"\n$ lumbre {shlex.join(words)}", flush=True)
    done = subprocess.run([LUMBRE, *words], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--household", choices=("starter", "tiny"), default="starter")
    asked = parser.parse_args()
    if asked.household == "tiny":
        os.environ["LUMBRE_LLM__PRIMARY__ID"] = "smollm2-135m-instruct-q4_1"
    documents = os.path.relpath(HERE / "documents")
    begun = time.monotonic()
    lumbre("models", "pull", "primary", "--yes")
    lumbre("docs", "add", documents)
    for language, question in QUESTIONS:
        lumbre("--lang", language, "ask", question, "--docs", documents)
    print(f"\nDone in {time.monotonic() - begun:.0f} s. Now your own files:")
    print(f"  {os.path.relpath(LUMBRE)} docs add FOLDER")
    print(f'  {os.path.relpath(LUMBRE)} ask "..."')


if __name__ == "__main__":
    main()
