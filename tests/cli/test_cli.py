"""Whatever is typed gets an answer in the person's language, and scripts rely on its form."""

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lumbre.cli.main import EXIT_CODES, exit_code, main
from lumbre.cli.session import Flags, Session, split_globals
from lumbre.cli.verb import Group, Lumbre, _Spoken
from lumbre.core.errors import BadArguments, LumbreError, leaves
from lumbre.core.signals import SIGNALS
from lumbre.version import VERSION
from lumbre.words import LANGUAGES, Language, sentences
from tests.conftest import Run, environment_of

CYRILLIC = set("абвгдежзиклмнопрстуфхцчшщыэюя")


def every_command() -> list[list[str]]:
    root = Lumbre(name="lumbre")
    found: list[list[str]] = [[]]
    for name in root.list_commands(click.Context(root)):
        command = root.get_command(click.Context(root), name)
        found.append([name])
        if isinstance(command, Group):
            found += [[name, below] for below in command.commands]
    return found


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", every_command(), ids=" ".join)
def test_every_command_explains_itself_in_every_language(
    path: list[str], language: Language, home: Path
) -> None:
    session = Session({"LUMBRE_HOME": str(home)}, Flags(lang=language))
    command: click.Command = Lumbre(name="lumbre")
    context = click.Context(command, info_name="lumbre", obj=session)
    for name in path:
        assert isinstance(command, Group)
        found = command.get_command(context, name)
        assert found is not None
        command = found
        context = click.Context(command, parent=context, info_name=name)
    assert isinstance(command, _Spoken)
    text = command.get_help(context)
    assert text.startswith(sentences("cli")["usage"][language])
    if language == "ru":
        assert CYRILLIC & set(text.lower())
    assert "[OPTIONS]" not in text
    usage, _, summary, *_ = text.splitlines()
    if path:
        assert not summary.endswith(".")
        assert not summary[0].isupper()
        asked = usage.partition("lumbre ")[2].removeprefix(" ".join(path))
        words = {word.lower() for word in re.findall(r"\b[A-Z]{3,}\b", asked)}
        known = {name.partition(".")[2] for name in sentences("cli") if "placeholder." in name}
        assert language != "en" or words <= known | {"command"}
        if language == "ru":
            assert not words


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("config --why", "falta el valor: --why CLAVE", "lumbre config --help"),
        ("docs search x --top", "falta el valor: --top N", "lumbre docs search --help"),
        ("ps --json=3", "--json no lleva valor", "lumbre ps --help"),
        ("models use nobody x", "PAPEL: uno de primary | lightweight", "lumbre models use --help"),
        ("plan --context abc", "abc", "lumbre plan --help"),
        ("engines remove nada", "nada", "lumbre engines list"),
        ("--set x", "tiene que ser --set CLAVE=VALOR", "lumbre --help"),
        ("nada", "no existe la orden nada", "lumbre --help"),
    ],
)
def test_a_mistake_is_told_in_ones_language_and_leads_to_the_help_of_that_command(
    line: str,
    message: str,
    hint: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LUMBRE_HOME", str(home))
    assert main(["--lang", "es", *line.split()]) == 2
    told, shown = capsys.readouterr().err.splitlines()
    assert message in told
    assert shown == f"hint: {hint}"


BUILT = {
    *("cli.no_such_verb", "cli.nothing_like_it"),
    *(f"cli.config.from_{layer}" for layer in ("default", "file", "environment", "flag")),
    *(f"cli.ps.{state}" for state in ("starting", "ready", "stopping")),
    *(f"cli.models.{state}" for state in ("absent", "partial", "present", "corrupt")),
    *(f"cli.docs.{status}" for status in ("indexed", "failed", "skipped")),
    "cli.models.forgotten",
    *(f"cli.signal.{name.lower().replace('.', '_')}" for name in SIGNALS),
    *(f"cli.signal.{told}" for told in ("notices", "unfinished")),
    *(f"cli.form.{option}" for option in ("lang", "set")),
    *(f"cli.{name}" for name in sentences("cli") if name.startswith("placeholder.")),
    *(f"cli.docs.row_{status}" for status in ("failed", "skipped")),
    *(f"ask.{phase}" for phase in ("waiting", "loading", "retrieve", "read", "write")),
    *(f"ask.citation{page}{how}" for page in ("", "_page") for how in ("", "_quoted")),
}
"""Keys that the code puts together from a state, a layer or a phase."""


def keys_in_the_code() -> set[str]:
    """Keys that stand in the code as they are, and the `help` of commands and options."""
    found, helps = set(), set()
    for path in (Path(__file__).parents[2] / "src" / "lumbre" / "cli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.keyword(arg="help", value=ast.Constant(value=str(text))):
                    helps.add(text)
                case ast.Constant(value=str(text)) if re.fullmatch(
                    r"(cli|ask)\.[a-z_.]+[a-z]", text
                ):
                    found.add(text)
    return (found - helps) | {f"cli.{text}" for text in helps}


def test_the_sentences_of_the_command_line_are_those_its_code_says() -> None:
    written = {f"{part}.{name}" for part in ("cli", "ask") for name in sentences(part)}
    said = keys_in_the_code() | BUILT
    assert said - written == set(), "said by the code, and not there"
    assert written - said == set(), "there, and never said"


def test_every_error_has_an_exit_code() -> None:
    for leaf in leaves():
        error = leaf(**dict.fromkeys(leaf.wants, 1))
        assert exit_code(error) in (1, 2, 3, 4)
    assert all(issubclass(kind, LumbreError) for kind in EXIT_CODES)


@pytest.mark.parametrize(
    ("line", "rest", "flags"),
    [
        (["ask", "--lang", "es", "x"], ["ask", "x"], Flags(lang="es")),
        (["--lang=ru", "ask", "x"], ["ask", "x"], Flags(lang="ru")),
        (["ask", "--no-daemon", "x"], ["ask", "x"], Flags(no_daemon=True)),
        (["--set", "pool.idle_s=1", "ps"], ["ps"], Flags(settings={"pool.idle_s": "1"})),
        (["ask", "--", "--lang"], ["ask", "--", "--lang"], Flags()),
    ],
)
def test_options_of_every_verb_may_stand_anywhere(
    line: list[str], rest: list[str], flags: Flags
) -> None:
    assert split_globals(line) == (rest, flags)


@pytest.mark.parametrize("line", [["--lang"], ["--lang", "fr"], ["--set", "x"], ["--set"]])
def test_an_option_without_its_value_is_refused(line: list[str]) -> None:
    with pytest.raises(BadArguments):
        split_globals(line)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["asc"], "ask"),
        (["ask"], "lumbre ask --help"),
        (["ask", "x", "--fo"], "--fo"),
        (["docs", "search", "x", "--top", "many"], "--top"),
        (["docs", "fly"], "fly"),
        (["init", "--household", "huge"], "--household"),
        (["ask", "a", "b"], "b"),
        (["--set", "pool.idle=1", "ps"], "pool.idle_s"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_line_that_cannot_be_understood_gets_one_line_and_a_hint(
    line: list[str], told: str, language: Language, lumbre: Run
) -> None:
    refused = lumbre(*line, "--lang", language)
    assert refused.returncode == 2
    message, hint = refused.stderr.splitlines()
    assert told in message + hint
    assert hint.startswith("hint: ")
    if language == "ru" and line != ["--set", "pool.idle=1", "ps"]:
        assert CYRILLIC & set(message.removeprefix("lumbre: ").lower())


def test_an_error_is_json_where_json_was_asked_for(lumbre: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = lumbre("ask", "What?", "--json", LUMBRE_MODELS=str(tmp_path / "file" / "weights"))
    assert refused.returncode == 1
    told = json.loads(refused.stderr)["error"]
    assert set(told) == {"code", "message", "hint"}
    assert told["code"] == "home_not_usable"
    assert refused.stdout == ""


def test_missing_weights_name_the_command_that_brings_them(
    lumbre: Run, tmp_path: Path, boat: Path
) -> None:
    empty = str(tmp_path / "no weights")
    assert lumbre("docs", "add", str(boat), LUMBRE_MODELS=empty).returncode == 0
    refused = lumbre("ask", "¿Cómo se llama?", "--lang", "es", LUMBRE_MODELS=empty)
    assert refused.returncode == 2
    message, hint = refused.stderr.splitlines()
    assert "no están aquí" in message
    assert hint == "hint: lumbre models pull qwen2.5-coder-1.5b-instruct-q4_k_m"


def test_nothing_is_pulled_unasked(lumbre: Run, tmp_path: Path) -> None:
    refused = lumbre("models", "pull", "micro", LUMBRE_MODELS=str(tmp_path / "w"))
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert "98.4 MB" in refused.stdout + refused.stderr


@pytest.fixture
def boat(tmp_path: Path) -> Path:
    (tmp_path / "papers").mkdir()
    path = tmp_path / "papers" / "boat.txt"
    path.write_text("The boat is called Golondrina.\n")
    return path


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "vacío"),
        (bytes(range(256)) * 40, "no es texto"),
        (b"%PDF-1.7\n%broken", "dañado"),
        (None, "no existe"),
    ],
)
def test_a_document_that_cannot_be_read_is_named_with_its_reason(
    content: bytes | None, reason: str, lumbre: Run, tmp_path: Path
) -> None:
    path = tmp_path / ("x.pdf" if content and content.startswith(b"%PDF") else "x.txt")
    if content is not None:
        path.write_bytes(content)
    told = lumbre("docs", "add", str(path), "--lang", "es")
    assert told.returncode == 1
    assert reason in told.stdout
    assert "Traceback" not in told.stderr


def test_a_bad_document_does_not_stop_the_others(lumbre: Run, boat: Path) -> None:
    (boat.parent / "empty.txt").write_text("")
    told = lumbre("docs", "add", str(boat.parent), "--json")
    assert told.returncode == 0
    states = {Path(d["document"]).name: d["status"] for d in json.loads(told.stdout)}
    assert states == {"boat.txt": "indexed", "empty.txt": "failed"}


def test_documents_come_are_listed_and_go(lumbre: Run, boat: Path) -> None:
    lumbre("docs", "add", str(boat))
    (listed,) = json.loads(lumbre("docs", "list", "--json").stdout)
    assert list(listed) == ["document", "status", "reason", "pages", "passages", "sha256"]
    (hit,) = json.loads(lumbre("docs", "search", "boat name", "--json").stdout)
    assert set(hit) == {"document", "page", "start", "end", "text", "score", "language"}
    assert boat.read_text()[hit["start"] : hit["end"]] == hit["text"]
    assert lumbre("docs", "remove", str(boat)).returncode == 0
    assert json.loads(lumbre("docs", "list", "--json").stdout) == []
    gone = lumbre("docs", "remove", str(boat))
    assert (gone.returncode, "never added" in gone.stderr) == (2, True)
    empty = lumbre("docs", "search", "boat")
    assert (empty.returncode, "docs add" in empty.stderr) == (2, True)


def test_a_home_with_spaces_and_cyrillic_works(tmp_path: Path, boat: Path, smollm2: Path) -> None:
    home = tmp_path / ("Мой дом " * 12)
    environment = environment_of(home, LUMBRE_LLM__PRIMARY__ID="smollm2-135m-instruct-q4_1")

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        line = [sys.executable, "-m", "lumbre", *words]
        return subprocess.run(line, capture_output=True, text=True, env=environment, check=False)

    try:
        assert run("docs", "add", str(boat)).returncode == 0
        answered = run("ask", "What is the boat called?", "--json")
        assert answered.returncode == 0, answered.stderr
    finally:
        assert run("stop").returncode == 0


def test_a_home_that_cannot_be_written_is_named(lumbre: Run, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    refused = lumbre("docs", "list", LUMBRE_HOME=str(file / "home"))
    assert refused.returncode == 1
    message, hint = refused.stderr.splitlines()
    assert f"{file} cannot be used" in message
    assert "LUMBRE_HOME" in hint


def test_a_read_only_home_is_named(lumbre: Run, tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    mount.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(mount)],
        capture_output=True,
        check=False,
    ).returncode:
        pytest.skip("a read-only file system may not be mounted here")
    try:
        refused = lumbre("docs", "list", LUMBRE_HOME=str(mount / "home"))
    finally:
        subprocess.run(["umount", str(mount)], check=True)
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 2
    assert "Read-only" in refused.stderr


def test_who_reads_only_the_beginning_gets_no_traceback(lumbre: Run, home: Path) -> None:
    first = subprocess.Popen(
        [sys.executable, "-m", "lumbre", "config", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment_of(home),
    )
    assert first.stdout is not None
    first.stdout.close()
    assert first.stderr is not None
    told = first.stderr.read()
    first.stderr.close()
    first.wait()
    assert b"Traceback" not in told
    assert b"Exception" not in told


def test_an_output_that_is_full_is_said(home: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with Path("/dev/full").open("w") as full:
        told = subprocess.run(
            [sys.executable, "-m", "lumbre", "config"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment_of(home),
            check=False,
        )
    assert told.returncode == 1
    assert "Traceback" not in told.stderr
    assert "No space left" in told.stderr


def test_a_broken_manifest_is_named_and_hides_no_other(lumbre: Run, home: Path) -> None:
    lumbre("init")
    (home / "registry" / "mine.yaml").write_text("id: mine\nfamly: x\n")
    told = lumbre("models", "list", "--json")
    assert len(json.loads(told.stdout)) == 4
    assert "mine.yaml" in told.stderr
    assert "hint: " in told.stderr


def test_models_list_is_the_manifests_and_where_their_weights_stand(lumbre: Run) -> None:
    models = json.loads(lumbre("models", "list", "--json").stdout)
    for model in models:
        assert {"id", "family", "role", "format", "capabilities", "revision"} <= set(model)
        assert model["state"] in ("absent", "partial", "present", "corrupt")
        assert isinstance(model["bytes"], int)
        assert model["path"].startswith("/")


def test_a_file_of_ones_own_becomes_the_face(lumbre: Run, tmp_path: Path, smollm2: Path) -> None:
    mine = tmp_path / "mine.gguf"
    mine.symlink_to(smollm2)
    added = lumbre("models", "add", str(mine), "--id", "mine")
    assert added.returncode == 0, added.stderr
    assert "use primary mine" in added.stdout
    assert lumbre("models", "use", "primary", "mine").returncode == 0
    assert "mine" in lumbre("config", "--why", "llm.primary.id").stdout
    shown = json.loads(lumbre("models", "list", "--json").stdout)
    assert {model["id"]: model["role"] for model in shown}["mine"] == "primary"
    refused = lumbre("models", "remove", "mine")
    assert (refused.returncode, "use primary" in refused.stderr) == (2, True)
    lumbre("models", "use", "primary", "smollm2-135m-instruct-q4_1")
    assert lumbre("models", "remove", "mine").returncode == 0
    assert smollm2.exists()
    gone = lumbre("models", "show", "mine")
    assert gone.returncode == 2


def test_a_primary_that_is_gone_does_not_hide_the_others(lumbre: Run) -> None:
    told = lumbre("models", "list", LUMBRE_LLM__PRIMARY__ID="gone-7b")
    assert told.returncode == 0
    assert "gone-7b" in told.stderr
    assert "smollm2-135m-instruct-q4_1" in told.stdout


def test_the_program_says_its_version_and_alone_its_help(lumbre: Run) -> None:
    assert lumbre("--version").stdout == f"lumbre {VERSION}\n"
    for words in ([], ["docs"], ["models"]):
        told = lumbre(*words)
        assert told.returncode == 0
        assert told.stdout.startswith("Usage: lumbre")
        assert told.stderr == ""


def test_use_keeps_what_else_stands_in_the_file(lumbre: Run, home: Path) -> None:
    home.mkdir(parents=True)
    (home / "config.toml").write_text("# mine\n[pool]\nidle_s = 30 # short\n")
    lumbre("models", "use", "primary", "smollm2-135m-instruct-q4_1")
    text = (home / "config.toml").read_text()
    assert text.startswith("# mine\n[pool]\nidle_s = 30 # short\n")
    assert 'id = "smollm2-135m-instruct-q4_1"' in text


def test_an_answer_that_is_not_there_names_where_to_look(
    lumbre: Run, boat: Path, smollm2: Path
) -> None:
    lumbre("docs", "add", str(boat))
    question = "Who won the world cup in '98?"
    told = lumbre("ask", question, LUMBRE_LLM__PRIMARY__ID="smollm2-135m-instruct-q4_1")
    assert told.returncode == 0
    assert told.stdout == "That is not in your documents.\n"
    line = told.stderr.splitlines()[0]
    command = shlex.split(line.partition(": ")[2])
    assert command == ["lumbre", "docs", "search", question]
    assert lumbre(*command[1:]).returncode == 0


def test_first_commands_at_once_all_see_every_model_that_comes_along(home: Path) -> None:
    command = [sys.executable, "-m", "lumbre", "models", "list", "--json"]
    environment = environment_of(home / "new")
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    told = [process.communicate(timeout=60)[0] for process in started]
    assert all(process.returncode == 0 for process in started)
    assert json.loads(told[0])
    assert told == [told[0]] * 4
    assert not list((home / "new").glob(".registry-*"))
