"""What `lumbre export` writes, `lumbre import` gives back, and nothing is lost on the way."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from lumbre.config import Folders, load
from lumbre.core.errors import BadArchive, HomeNotEmpty, HouseholdRuns
from lumbre.knowledge.index import Index
from lumbre.registry.household import write_household
from lumbre.server.carry import SCHEMAS, export_home, import_home
from lumbre.server.household import Household
from lumbre.server.socket import owned
from lumbre.store import Schema, Store
from tests.conftest import Run
from tests.knowledge.plain import run

ROOT = Path(__file__).parents[2]


def folders_of(home: Path) -> Folders:
    folders = Folders.of({"LUMBRE_HOME": str(home)})
    folders.make()
    return folders


@pytest.fixture
def full(tmp_path: Path) -> Folders:
    """A home with a document, a manifest and settings."""
    folders = folders_of(tmp_path / "full")
    (tmp_path / "boat.txt").write_text("The boat is called Golondrina.")
    with closing(Store(folders.database)) as store:
        for schema in SCHEMAS:
            store.bring(schema)
        run(Index(store), tmp_path / "boat.txt")
        with store.writing() as connection:
            connection.execute("INSERT INTO weights_checked VALUES ('/secret/place', 1, 1, 'x')")
    folders.config_file.write_text("# mine\n[pool]\nidle_s = 30\n")
    (folders.registry / "mine.yaml").write_text("id: mine\n")
    (folders.weights / "large.gguf").write_bytes(b"GGUF")
    return folders


def test_what_engines_had_read_of_the_talks_here_goes_with_them(
    full: Folders, tmp_path: Path
) -> None:
    export_home(full, tmp_path / "all.zip")
    (full.states / "1-0.state").write_text("of the talk that had this number")
    import_home(full, tmp_path / "all.zip", replace=True)
    assert not full.states.exists()


def documents(folders: Folders) -> list[str]:
    with closing(Store(folders.database)) as store:
        return [Path(one.path).name for one in Index(store).documents()]


def test_every_part_of_the_database_goes_along(tmp_path: Path) -> None:
    household = Household(load({"LUMBRE_HOME": str(folders_of(tmp_path / "new").home)}))

    async def add_nothing() -> None:
        async for _ in household.documents.add([]):
            pass

    write_household(household.config.folders.registry, "starter")
    asyncio.run(add_nothing())
    rows = household.store.connection().execute("SELECT part, version FROM schema_versions")
    assert dict(rows) == {schema.part: len(schema.migrations) for schema in SCHEMAS}
    household.store.close()


def test_it_comes_out_as_it_went_in_without_weights(full: Folders, tmp_path: Path) -> None:
    export_home(full, tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert sorted(archive.namelist()) == [
            "config.toml",
            "contents.json",
            "lumbre.db",
            "registry/mine.yaml",
        ]
        assert b"/secret/place" not in archive.read("lumbre.db")
    new = folders_of(tmp_path / "new")
    came = import_home(new, tmp_path / "all.zip", replace=False)
    assert (came.documents, came.talks, came.kept) == (1, 0, ())
    assert documents(new) == ["boat.txt"]
    assert new.config_file.read_text() == full.config_file.read_text()
    assert (new.registry / "mine.yaml").read_text() == "id: mine\n"
    for path in (new.database, new.config_file, new.registry / "mine.yaml"):
        assert path.stat().st_mode & 0o777 == 0o600
    assert not [path for path in new.home.iterdir() if path.name.startswith(".carry-")]


def test_what_was_here_is_refused_or_kept_beside(full: Folders, tmp_path: Path) -> None:
    export_home(full, tmp_path / "all.zip")
    run_into(full, tmp_path / "car.txt", "The car is red.")
    (full.registry / "mine.yaml").write_text("id: changed\n")
    with pytest.raises(HomeNotEmpty, match="documents: 2"):
        import_home(full, tmp_path / "all.zip", replace=False)
    assert len(documents(full)) == 2
    came = import_home(full, tmp_path / "all.zip", replace=True)
    assert documents(full) == ["boat.txt"]
    kept = {path.name.partition(".before-")[0]: path for path in came.kept}
    assert set(kept) == {"lumbre.db", "mine.yaml"}
    assert kept["mine.yaml"].read_text() == "id: changed\n"
    with closing(sqlite3.connect(kept["lumbre.db"])) as old:
        assert old.execute("SELECT count(*) FROM documents").fetchone() == (2,)
    assert [path.name for path in full.registry.glob("*.yaml")] == ["mine.yaml"]


def run_into(folders: Folders, path: Path, text: str) -> None:
    path.write_text(text)
    with closing(Store(folders.database)) as store:
        run(Index(store), path)


def test_it_is_written_anew_over_an_earlier_one_only(full: Folders, tmp_path: Path) -> None:
    export_home(full, tmp_path / "all.zip")
    export_home(full, tmp_path / "all.zip")
    thesis = tmp_path / "thesis.pdf"
    thesis.write_bytes(b"%PDF years of work")
    with pytest.raises(BadArchive, match="already"):
        export_home(full, thesis)
    assert thesis.read_bytes() == b"%PDF years of work"


def test_what_a_killed_one_left_is_cleared_away(full: Folders, tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = full.home / f".carry-{ended.pid}-x"
    at_work = full.home / f".carry-{os.getpid()}-x"
    for folder in (left, at_work):
        folder.mkdir()
        (folder / "lumbre.db").write_text("a copy")
    export_home(full, tmp_path / "all.zip")
    assert (left.exists(), at_work.exists()) == (False, True)


def test_a_newer_database_is_refused(full: Folders, tmp_path: Path) -> None:
    with closing(Store(full.database)) as store:
        known = SCHEMAS[1]
        store.bring(Schema(known.part, (*known.migrations, "CREATE TABLE tomorrow (x)")))
    export_home(full, tmp_path / "all.zip")
    with pytest.raises(BadArchive, match="newer"):
        import_home(folders_of(tmp_path / "new"), tmp_path / "all.zip", replace=False)
    assert not (tmp_path / "new" / "lumbre.db").exists()


def test_while_the_household_works_nothing_is_put_in_its_place(
    full: Folders, tmp_path: Path
) -> None:
    export_home(full, tmp_path / "all.zip")
    with owned(full, "household", patience_s=0) as had, pytest.raises(HouseholdRuns):
        assert had
        import_home(full, tmp_path / "all.zip", replace=True)
    with closing(Store(full.database)) as other:
        other.bring(SCHEMAS[0])
        with pytest.raises(HouseholdRuns):
            import_home(full, tmp_path / "all.zip", replace=True)
    assert documents(full) == ["boat.txt"]


def test_a_copy_is_of_one_moment_while_others_write(full: Folders, tmp_path: Path) -> None:
    program = """
import sys
from contextlib import closing
from pathlib import Path
from lumbre.store import Store
with closing(Store(Path(sys.argv[1]))) as store:
    print(flush=True)
    while True:
        with store.writing() as c:
            for _ in range(2):
                c.execute("INSERT INTO conversations (begun, used) VALUES (1, 1)")
"""
    writer = subprocess.Popen(
        [sys.executable, "-c", program, str(full.database)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(["src", *sys.path])},
    )
    assert writer.stdout is not None
    try:
        writer.stdout.readline()
        for number in range(5):
            export_home(full, tmp_path / "all.zip")
            new = folders_of(tmp_path / f"new{number}")
            came = import_home(new, tmp_path / "all.zip", replace=False)
            assert came.talks % 2 == 0
    finally:
        writer.stdout.close()
        writer.kill()
        assert writer.wait() == -signal.SIGKILL


def test_a_person_carries_their_documents_to_another_machine(lumbre: Run, tmp_path: Path) -> None:
    (tmp_path / "boat.txt").write_text("The boat is called Golondrina.\n")
    assert lumbre("docs", "add", str(tmp_path / "boat.txt")).returncode == 0
    done = lumbre("export", str(tmp_path / "all.zip"))  # the household goes on running
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "all.zip") in done.stdout
    refused = lumbre("import", str(tmp_path / "all.zip"), "--lang", "es")
    assert (refused.returncode, "lumbre stop" in refused.stderr) == (2, True)
    other = tmp_path / "other"
    there = {"LUMBRE_HOME": str(other)}
    try:
        came = lumbre("import", str(tmp_path / "all.zip"), **there)
        assert (came.returncode, "documents: 1" in came.stdout) == (0, True), came.stderr
        (listed,) = json.loads(lumbre("docs", "list", "--json", **there).stdout)
        assert listed["document"] == str(tmp_path / "boat.txt")
        (hit,) = json.loads(lumbre("docs", "search", "boat name", "--json", **there).stdout)
        assert "Golondrina" in hit["text"]
    finally:
        assert lumbre("stop", **there).returncode == 0
