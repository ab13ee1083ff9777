"""What was broken off is told at the next start, once; what was answered is not."""

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from lumbre.store import Store
from lumbre.triggers.chains import Chains
from lumbre.words import LANGUAGES, say


def test_unfinished_ones_are_told_once_in_order(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "lumbre.db")) as store:
        chains = Chains(store)
        first = chains.begin("Eval.NeedJudge", "moe")
        done = chains.begin("Plan.Generate", "moe")
        last = chains.begin("Plan.Generate", "other")
        chains.finish(done)
        chains.break_off(first)
        chains.break_off(last)
    with closing(Store(tmp_path / "lumbre.db")) as store:
        chains = Chains(store)
        left = chains.take_unfinished()
        assert [(one.trigger, one.model) for one in left] == [
            ("Eval.NeedJudge", "moe"),
            ("Plan.Generate", "other"),
        ]
        told = left[0].told()
        assert all("Eval.NeedJudge" in say(told.key, lang, **told.facts) for lang in LANGUAGES)
        assert chains.take_unfinished() == []


def test_what_another_household_works_on_is_left_to_it(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "lumbre.db")) as store:
        number = Chains(store).begin("Plan.Generate", "moe")
        assert Chains(store).take_unfinished() == []
        Chains(store).break_off(number)
        assert len(Chains(store).take_unfinished()) == 1


def test_those_of_a_household_that_was_killed_are_told(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path;"
        "from lumbre.store import Store; from lumbre.triggers.chains import Chains;"
        "Chains(Store(Path(sys.argv[1]))).begin('Plan.Generate', 'moe');"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = tmp_path / "lumbre.db"
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    with closing(Store(path)) as store:
        (left,) = Chains(store).take_unfinished()
        assert left.trigger == "Plan.Generate"
