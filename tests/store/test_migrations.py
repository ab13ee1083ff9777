"""A database of any earlier lumbre is opened by today's with nothing lost.

`lumbre-0.1.0.db.gz` is what lumbre 0.1.0 wrote (its last commit is 715b69e): in an empty home,
with a folder /papers of contrato.txt, boat.md, договор.txt, an empty and a broken file,

    lumbre docs add /papers
    printf 'What is the boat called?\\nexit\\n' | lumbre chat    (with SmolLM2 as the primary)
    lumbre stop

and then, for it names files of one machine, `DELETE FROM weights_checked; VACUUM`.
"""

import asyncio
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lumbre.assistant.conversation import Conversations
from lumbre.knowledge.index import Index
from lumbre.knowledge.retrieve import search
from lumbre.server.carry import SCHEMAS
from lumbre.store import Schema, Store
from tests.conftest import Run
from tests.knowledge.conftest import InProcess

RELEASED = {"weights": 1, "knowledge": 1, "conversations": 1}
USED = "use-multilingual-v3@0db566fd0af82cbf"
BOAT = (
    "# The boat\n\nThe boat is called Golondrina. It was painted green in 2019 and sleeps four.\n"
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "lumbre.db"
    data = (Path(__file__).parent / "lumbre-0.1.0.db.gz").read_bytes()
    path.write_bytes(gzip.decompress(data))
    return path


@pytest.fixture
def store(old: Path) -> Iterator[Store]:
    opened = Store(old)
    yield opened
    opened.close()


def tables(store: Store) -> list[tuple[str, str, str]]:
    rows = store.connection().execute(
        "SELECT type, name, coalesce(sql, '') FROM sqlite_schema"
        " WHERE name <> 'schema_versions' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    )
    return [(str(kind), str(name), str(sql)) for kind, name, sql in rows]


def test_the_steps_that_were_released_still_make_what_they_made(
    store: Store, tmp_path: Path
) -> None:
    new = Store(tmp_path / "new.db")
    for schema in SCHEMAS:
        new.bring(Schema(schema.part, schema.migrations[: RELEASED.get(schema.part, 0)]))
    made = tables(new)
    new.close()
    assert made == tables(store), "a migration that was released is never edited: append one"


def test_every_step_runs_after_every_other(store: Store) -> None:
    for schema in SCHEMAS:
        for steps in range(1, len(schema.migrations) + 1):
            if steps >= store.version(schema.part):
                store.bring(Schema(schema.part, schema.migrations[:steps]))
    assert {s.part: store.version(s.part) for s in SCHEMAS} == {
        s.part: len(s.migrations) for s in SCHEMAS
    }
    ((state,),) = store.connection().execute("PRAGMA integrity_check")
    assert state == "ok"
    assert not list(store.connection().execute("PRAGMA foreign_key_check"))


def test_an_old_database_and_a_new_one_end_with_the_same_tables(
    store: Store, tmp_path: Path
) -> None:
    new = Store(tmp_path / "new.db")
    for schema in SCHEMAS:
        new.bring(schema)
        store.bring(schema)
    assert [row[:2] for row in tables(new)] == [row[:2] for row in tables(store)]
    new.close()


def test_documents_and_talks_are_all_there(store: Store) -> None:
    index = Index(store)
    assert [(one.path, one.status, one.reason, one.passages) for one in index.documents()] == [
        ("/papers/boat.md", "indexed", "", 1),
        ("/papers/broken.pdf", "failed", "damaged", 0),
        ("/papers/contrato.txt", "indexed", "", 1),
        ("/papers/договор.txt", "indexed", "", 1),
    ]
    stored = index.stored("/papers/boat.md")
    assert stored
    assert stored.parsed.text == BOAT
    talks = Conversations(store)
    turns = talks.get(talks.last()).turns
    assert [turn.role for turn in turns] == ["user", "assistant"]
    assert "Golondrina" in turns[1].text


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("¿Cuánto es la renta mensual?", "contrato.txt"),
        ("Golondrina", "boat.md"),
        ("What is the boat called?", "boat.md"),
        ("гарантия на ремонт", "договор.txt"),
    ],
)
def test_what_was_searchable_still_is(store: Store, question: str, name: str) -> None:
    found = asyncio.run(search(question, Index(store), InProcess(USED), top=1))
    assert Path(found.hits[0].document).name == name
    assert found.stale == 0


def test_the_program_opens_it_as_its_own(lumbre: Run, home: Path, old: Path) -> None:
    home.mkdir()
    old.rename(home / "lumbre.db")
    listed = json.loads(lumbre("docs", "list", "--json").stdout)
    assert [Path(one["document"]).name for one in listed] == [
        "boat.md",
        "broken.pdf",
        "contrato.txt",
        "договор.txt",
    ]
    hits = json.loads(lumbre("docs", "search", "fianza", "--top", "1", "--json").stdout)
    assert [Path(hit["document"]).name for hit in hits] == ["contrato.txt"]
    text = lumbre("docs", "text", "boat.md")
    assert (text.returncode, text.stdout) == (0, BOAT), text.stderr
