"""What was broken off is told at the next start, once; what was answered is not."""

from contextlib import closing
from pathlib import Path

from lumbre.store import Store
from lumbre.triggers.chains import Chains
from lumbre.words import LANGUAGES, say


def test_unfinished_ones_are_told_once_in_order(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "lumbre.db")) as store:
        chains = Chains(store)
        chains.begin("Eval.NeedJudge", "moe")
        done = chains.begin("Plan.Generate", "moe")
        chains.begin("Plan.Generate", "other")
        chains.finish(done)
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
