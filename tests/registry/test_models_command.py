"""`lumbre models add` and `scan` say what they found, ask before they write, and fetch nothing."""

import json
import os
import pty
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from lumbre.words import LANGUAGES
from tests.conftest import Run, environment_of
from tests.registry.hubs import Hub, Library, hub_of, library_of
from tests.registry.places import sha256
from tests.registry.stores import blob, hub, ollama, plain, talker

TALKER = talker()
OTHER = talker("Other Talker")
SECRET = "hf_verySecretThing"
REPOSITORY = "hf:someone/some-model-GGUF"


@pytest.fixture
def person(tmp_path: Path) -> dict[str, str]:
    """Somebody with an Ollama store, a hub cache and an LM Studio folder."""
    home = tmp_path / "person"
    ollama(home / ".ollama" / "models", [("model", TALKER)])
    blob(home / ".ollama" / "models", talker("Lost"))
    hub(home / ".cache" / "huggingface" / "hub", "Tiny.gguf", TALKER)
    plain(home / ".lmstudio" / "models", "someone/repo/Other-Q4_K_M.gguf", OTHER)
    plain(home / ".lmstudio" / "models", "someone/mlx/model.safetensors", b"x")
    kept = dict.fromkeys(("OLLAMA_MODELS", "HF_HOME", "HF_HUB_CACHE", "LLAMA_CACHE"), "")
    return kept | {"HOME": str(home), "XDG_CACHE_HOME": "", "LUMBRE_MODELS": str(tmp_path / "w")}


def test_a_scan_shows_everything_and_writes_nothing(
    lumbre: Run, person: dict[str, str], home: Path
) -> None:
    done = lumbre("models", "scan", **person)
    assert done.returncode == 0
    table, unusable = done.stdout.split("Cannot be used:")
    assert [line.split("  ")[0] for line in table.strip().splitlines()[1:]] == [
        *("tiny:1m", "someone/repo/Other-Q4_K_M.gguf"),
    ]
    assert "Ollama and Hugging Face cache" in table
    assert "Ollama deletes it" in unusable
    assert "safetensors" in unusable
    assert "lumbre models scan --add" in done.stderr
    assert not list((home / "registry").glob("tiny*"))


def test_what_a_scan_adds_is_known_the_next_time(
    lumbre: Run, person: dict[str, str], home: Path
) -> None:
    added = lumbre("models", "scan", "--add", "--lang", "es", **person)
    assert added.returncode == 0
    assert "tiny-1m: " in added.stdout
    assert (home / "registry" / "other-q4_k_m.yaml").exists()
    again = json.loads(lumbre("models", "scan", "--json", **person).stdout)
    assert {row["name"]: row["state"] for row in again if row["state"] != "unusable"} == {
        "tiny:1m": "known",
        "someone/repo/Other-Q4_K_M.gguf": "known",
    }
    assert again[0]["sha256"] == sha256(TALKER)
    assert [other["store"] for other in again[0]["also"]] == ["hub"]
    assert all(row["reason"] for row in again if row["state"] == "unusable")
    assert lumbre("models", "verify", "tiny-1m", **person).returncode == 0
    assert not list(Path(person["LUMBRE_MODELS"]).rglob("*.gguf"))


def test_the_same_bytes_without_a_name_for_them_are_added_once(
    lumbre: Run, person: dict[str, str]
) -> None:
    plain(Path(person["HOME"]) / ".lmstudio" / "models", "someone/repo/Tiny-copy.gguf", TALKER)
    added = lumbre("models", "scan", "--add", **person)
    assert "the same bytes as tiny-1m" in added.stdout


def test_a_scan_asks_before_it_writes(person: dict[str, str], home: Path) -> None:
    for answer, count in (("n", 0), ("y", 2)):
        ours, theirs = pty.openpty()
        with closing(os.fdopen(ours, "wb", buffering=0)) as terminal:
            child = subprocess.Popen(
                [sys.executable, "-m", "lumbre", "models", "scan"],
                stdin=theirs,
                stdout=subprocess.PIPE,
                text=True,
                env=environment_of(home, **person),
            )
            os.close(theirs)
            terminal.write(f"{answer}\n".encode())
            said, _ = child.communicate(timeout=60)
        assert "New: 2 [y/n]" in said
        made = [path for path in (home / "registry").iterdir() if "q4_k_m" in path.name]
        assert len([path for path in made if "qwen" not in path.name]) == count // 2
        assert (home / "registry" / "tiny-1m.yaml").exists() == (count > 0)


def test_a_folder_that_is_named_is_the_only_one_looked_into(
    lumbre: Run, person: dict[str, str]
) -> None:
    folder = Path(person["HOME"]) / ".lmstudio"
    done = lumbre("models", "scan", str(folder), **person)
    assert "tiny:1m" not in done.stdout
    assert f"lumbre models scan --add {folder}" in done.stderr
    assert lumbre("models", "scan", str(folder / "nothing"), **person).returncode == 2


def test_a_machine_without_such_programs_says_which_were_looked_for(
    lumbre: Run, tmp_path: Path, person: dict[str, str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    done = lumbre("models", "scan", **(person | {"HOME": str(empty)}))
    assert done.returncode == 0
    assert "LM Studio" in done.stdout
    assert (
        json.loads(lumbre("models", "scan", "--json", **(person | {"HOME": str(empty)})).stdout)
        == []
    )


def test_a_model_of_the_hub_is_added_and_then_pulled(
    lumbre: Run, tmp_path: Path, person: dict[str, str]
) -> None:
    shelf = Hub({"a.gguf": TALKER, "b.gguf": OTHER}, token=SECRET, gated="manual")
    with hub_of(shelf) as endpoint:
        where = person | {"LUMBRE_WEIGHTS__HF_ENDPOINT": endpoint}
        shut = lumbre("models", "add", f"{REPOSITORY}/a.gguf", **where)
        assert shut.returncode == 2
        assert f"{endpoint}/someone/some-model-GGUF" in shut.stderr
        where |= {"LUMBRE_WEIGHTS__HF_TOKEN_ENV": "MY_KEY", "MY_KEY": SECRET}
        listed = lumbre("models", "add", REPOSITORY, **where)
        assert listed.returncode == 2
        assert "b.gguf" in listed.stdout
        assert f"{REPOSITORY}/a.gguf" in listed.stderr
        added = lumbre("models", "add", f"{REPOSITORY}/a.gguf", "--lang", "ru", **where)
        assert added.returncode == 0, added.stderr
        assert "lumbre models pull a" in added.stdout
        assert "MY_KEY" in added.stderr
        assert not list((tmp_path / "w").rglob("*.gguf"))
        pulled = lumbre("models", "pull", "a", "--yes", **where)
        assert pulled.returncode == 0, pulled.stderr
        told = [done.stdout + done.stderr for done in (shut, listed, added, pulled)]
        written = [path.read_text() for path in (tmp_path / "home" / "registry").iterdir()]
        assert not [text for text in (*told, *written) if SECRET in text]
    assert (tmp_path / "w" / "someone" / "some-model-GGUF" / "a.gguf").read_bytes() == TALKER


def test_a_model_of_the_ollama_library_is_added_and_then_pulled(
    lumbre: Run, tmp_path: Path, person: dict[str, str]
) -> None:
    with library_of(Library([("model", TALKER)])) as registry:
        where = person | {"LUMBRE_WEIGHTS__OLLAMA_REGISTRY": registry}
        assert lumbre("models", "add", "ollama:tiny:1m", "--id", "mine", **where).returncode == 0
        assert lumbre("models", "pull", "mine", "--yes", **where).returncode == 0
        assert lumbre("models", "add", "ollama:nothing", **where).returncode == 2
    found = list((tmp_path / "w").rglob("*.gguf"))
    assert [path.read_bytes() for path in found] == [TALKER]


def test_a_token_in_place_of_its_variables_name_is_refused_and_not_repeated(
    lumbre: Run, person: dict[str, str]
) -> None:
    done = lumbre(
        "models", "add", f"{REPOSITORY}/a.gguf", **person, LUMBRE_WEIGHTS__HF_TOKEN_ENV=SECRET
    )
    assert done.returncode == 2
    assert SECRET not in done.stdout + done.stderr


def test_a_model_from_afar_takes_no_projector_from_here(
    lumbre: Run, person: dict[str, str], tmp_path: Path
) -> None:
    path = plain(tmp_path, "eyes.gguf", TALKER)
    done = lumbre("models", "add", f"{REPOSITORY}/a.gguf", "--projector", str(path), **person)
    assert done.returncode == 2


def test_a_file_that_another_program_deleted_is_said_to_be_gone(
    lumbre: Run, person: dict[str, str], home: Path
) -> None:
    """Nothing offers to fetch it: it can be put back, or the model let go of."""
    store = Path(person["HOME"]) / ".lmstudio" / "models"
    assert lumbre("models", "scan", str(store), "--add", **person).returncode == 0
    [path] = store.rglob("Other-Q4_K_M.gguf")
    path.unlink()
    for words in (
        ("models", "pull", "other-q4_k_m", "--yes"),
        ("models", "use", "primary", "other-q4_k_m"),
        ("models", "verify", "other-q4_k_m"),
        ("plan", "--models", "other-q4_k_m"),
        ("doctor",),
    ):
        done = lumbre(*words, **person)
        said = " ".join((done.stdout + done.stderr).split())
        assert (done.returncode == 0) == (words[0] == "plan")  # only its residents decide
        assert path.name in said
        assert "lumbre models remove other-q4_k_m" in said
        assert "lumbre models pull other-q4_k_m" not in said
        assert "connection" not in said
        assert "nothing of it would fit" not in said
    assert "gone" in lumbre("models", "list", **person).stdout
    assert lumbre("models", "remove", "other-q4_k_m", **person).returncode == 0
    assert not (home / "registry" / "other-q4_k_m.yaml").exists()


def test_a_known_model_that_was_never_added_is_told_how(
    lumbre: Run, person: dict[str, str]
) -> None:
    for words in (("pull", "llama3.1:8b"), ("use", "primary", "llama-3.1-8b")):
        done = lumbre("models", *words, **person)
        assert done.returncode == 2
        assert "lumbre models add hf:bartowski/Meta-Llama-3.1-8B-Instruct-GGUF" in done.stderr
    assert "docs/manifest.md" in lumbre("models", "pull", "silero-vad", **person).stderr
    unknown = lumbre("models", "pull", "lama-3.1-8b", **person).stderr
    assert "--known" in unknown
    assert "nearest: llama-3.1-8b" in unknown


def test_the_known_models_can_be_listed(lumbre: Run, person: dict[str, str], home: Path) -> None:
    for language in LANGUAGES:
        done = lumbre("models", "list", "--known", "--lang", language, **person)
        rows = done.stdout.partition("\n\n")[0].splitlines()
        assert len([row for row in rows if row.startswith("llama-3.1-8b ")]) == 1
        assert max(map(len, rows)) <= 80
    told = json.loads(lumbre("models", "list", "--known", "--json", **person).stdout)
    assert {"id", "bytes", "address"} <= told[0].keys()
    assert len(told) > len(rows)
    assert not home.exists()


def test_what_is_given_to_add_and_scan_is_called_what_it_is(
    lumbre: Run, person: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "short.gguf"
    file.write_bytes(b"abc")
    for words, said in (
        (("add", str(tmp_path)), "is a folder"),
        (("add", "https://example.org/x.gguf"), "huggingface.co"),
        (("add", str(file)), "no GGUF file"),
        (("scan", str(file)), f"lumbre models add {file}"),
        (("scan", str(tmp_path / "none")), "no folder"),
    ):
        done = lumbre("models", *words, **person)
        assert done.returncode == 2
        assert said in done.stderr


def test_a_scan_in_a_narrow_terminal_breaks_between_words(
    person: dict[str, str], home: Path
) -> None:
    ours, theirs = pty.openpty()
    with closing(os.fdopen(ours, "rb", buffering=0)) as terminal:
        with subprocess.Popen(
            [sys.executable, "-m", "lumbre", "models", "scan"],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.DEVNULL,
            env=environment_of(home, **person, COLUMNS="50"),
        ) as child:
            os.close(theirs)
            told = b""
            with suppress(OSError):  # how a terminal on Linux says that nobody writes any more
                while piece := terminal.read(4096):
                    told += piece
        assert child.returncode == 0
    lines = told.decode().splitlines()
    assert max(map(len, lines)) <= 50
    assert "deletes it when it starts" in " ".join(told.decode().split())
