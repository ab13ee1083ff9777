"""The engine is asked in a process of its own, once for each question, and may fall over there."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lumbre.planner.oracle import Oracle, Shape
from lumbre.planner.records import Records
from lumbre.store import Store

MIB = 2**20
SHAPE = Shape(context_tokens=2048, slots=1, batch_tokens=512, kv_type="f16")


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    store = Store(tmp_path / "lumbre.db")
    yield Records(store)
    store.close()


def test_it_says_what_the_engine_logs_when_it_loads(records: Records, smollm2: Path) -> None:
    """Source: llama.cpp's log of this model, context 2048: 92.10 + 45.00 + 16.64 MiB; the last
    is 15.14 with one output."""
    with Oracle(records, "b") as oracle:
        found = oracle.buffers(smollm2, SHAPE)
    assert found is not None
    assert found.weights_bytes / MIB == pytest.approx(92.1, abs=0.1)
    assert found.kv_bytes == 45 * MIB
    assert 15 < found.compute_bytes / MIB < 17


def test_repacked_quants_are_counted_in_the_form_of_the_file(records: Records, qwen: Path) -> None:
    """With extra buffers on, the engine's forecast leaves 597 of these 1,060 MiB out."""
    with Oracle(records, "b") as oracle:
        found = oracle.buffers(qwen, SHAPE)
    assert found is not None
    assert found.weights_bytes / MIB == pytest.approx(1059.9, abs=0.2)
    assert found.kv_bytes == 56 * MIB


def test_what_was_asked_once_is_not_asked_again(records: Records, smollm2: Path) -> None:
    with Oracle(records, "b") as oracle:
        first = oracle.buffers(smollm2, SHAPE)
        assert oracle.asked == 1
    with Oracle(records, "b") as oracle:
        assert oracle.buffers(smollm2, SHAPE) == first
        assert oracle.asked == 0
        oracle.buffers(smollm2, Shape(**{**SHAPE_AS_DICT, "slots": 2}))
        assert oracle.asked == 1
    with Oracle(records, "another build") as oracle:
        oracle.buffers(smollm2, SHAPE)
        assert oracle.asked == 1


SHAPE_AS_DICT = {name: getattr(SHAPE, name) for name in SHAPE.__dataclass_fields__}


def test_a_file_that_changed_is_asked_about_anew(
    records: Records, smollm2: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.gguf"
    shutil.copyfile(smollm2, copy)
    with Oracle(records, "b") as oracle:
        oracle.buffers(copy, SHAPE)
        os.utime(copy, ns=(1, 1))
        oracle.buffers(copy, SHAPE)
        assert oracle.asked == 2


def test_a_file_the_engine_falls_over_takes_nobody_along(
    records: Records, smollm2: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(smollm2.read_bytes()[:1_500_000])
    with Oracle(records, "b") as oracle:
        assert oracle.buffers(broken, SHAPE) is None
        assert oracle.buffers(tmp_path / "absent.gguf", SHAPE) is None
        assert oracle.buffers(smollm2, SHAPE) is not None


def test_no_process_is_left(records: Records, smollm2: Path) -> None:
    import psutil

    with Oracle(records, "b") as oracle:
        oracle.buffers(smollm2, SHAPE)
        assert _dry_runs(psutil.Process())
    assert not _dry_runs(psutil.Process())


def _dry_runs(parent: object) -> list[object]:
    children = parent.children()  # type: ignore[attr-defined]
    return [child for child in children if "lumbre.workers.dry_run" in " ".join(child.cmdline())]


def test_another_build_of_the_library_is_not_believed(tmp_path: Path) -> None:
    """Its structures may be laid out differently: it says so instead of guessing."""
    import xllamacpp

    place = Path(str(xllamacpp.__file__)).parent
    (tmp_path / "xllamacpp").symlink_to(place)
    info = tmp_path / "xllamacpp-2099.1.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: xllamacpp\nVersion: 2099.1.1\n")
    found = subprocess.run(
        [sys.executable, "-m", "lumbre.workers.dry_run"],
        input="{}\n",
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
    )
    assert "2099.1.1" in json.loads(found.stdout)["unusable"]
