"""Looking finds what is wrong and what mends it, makes nothing, and one check stops no other."""

import ast
import hashlib
import json
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import apsw
import pytest

from lumbre import checks
from lumbre.checks import Finding, Scope, Serving, run, store
from lumbre.config import load
from lumbre.core.errors import LumbreError
from lumbre.core.model import Manifest, WeightsFile
from lumbre.registry.household import shipped, write_household
from lumbre.registry.manifest import save_manifest
from lumbre.registry.weights import Weights
from lumbre.store import Store
from lumbre.words import LANGUAGES, say, sentences
from tests.hardware.fake_driver import make_library, plug_in

SOURCE = Path(checks.__file__).parent
GIB = 2**30


@pytest.fixture
def scope(tmp_path: Path) -> Scope:
    """A home that is not made yet, on a machine of which nothing is known."""
    folders = {"LUMBRE_HOME": str(tmp_path / "home"), "LUMBRE_MODELS": str(tmp_path / "weights")}
    return Scope(config=load(folders), root=tmp_path / "machine")


def look(scope: Scope, name: str) -> list[Finding]:
    return [finding for _, finding in run(scope, [name])]


def one(scope: Scope, name: str) -> Finding:
    (finding,) = look(scope, name)
    return finding


def mends(finding: Finding) -> str:
    assert finding.mend is not None
    return str(finding.mend)


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def everything_below(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for path in sorted(folder.rglob("*")):
        facts = path.stat()
        found[str(path)] = (facts.st_size, facts.st_mtime_ns)
    return found


# The list itself


def test_every_check_has_a_name_in_every_language_and_a_place_of_its_own() -> None:
    names = checks.names()
    assert {f"name.{name}" for name in names} == {
        key for key in sentences("doctor") if key.startswith("name.")
    }
    places = [checks._load(name).PLACE for name in names]
    assert places == sorted(set(places))
    assert names[0] == "python"


def test_every_sentence_is_said_and_every_one_said_is_there() -> None:
    built = {"ok", "warn", "fail", "all_well", "some", "weights.absent", "weights.partial"}
    built |= {f"graphics.{mend}" for mend in ("install", "restart", "permission")}
    said = set(built)
    for path in SOURCE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="found"), args=[_, key, *_]):
                    said |= {
                        str(part.value) for part in ast.walk(key) if isinstance(part, ast.Constant)
                    }
                case ast.Constant(value=str(text)) if re.fullmatch(r"doctor\.[a-z_.]+", text):
                    said.add(text.removeprefix("doctor."))
    keys = {name for name in sentences("doctor") if not name.startswith("name.")}
    named = {part for part in said if part in keys}
    assert keys - named - KEYS_IN_VARIABLES == set()


KEYS_IN_VARIABLES = {
    *("config.file", "config.none", "memory.ok", "memory.limited", "store.ok", "store.in_part"),
    *("weights.checked", "weights.here"),
}
"""Keys that stand in a variable before they are said."""


def test_a_home_that_is_not_made_lacks_only_weights_and_is_still_not_made(scope: Scope) -> None:
    findings = run(replace(scope, root=Path("/")))
    (primary,) = [finding for _, finding in findings if finding.status == "fail"]
    assert primary.message.key == "doctor.weights.absent"
    assert mends(primary) == "lumbre models pull primary"
    assert not scope.config.folders.home.exists()
    assert not scope.config.folders.weights.exists()


def test_looking_at_a_home_in_use_changes_nothing_in_it(scope: Scope) -> None:
    folders = scope.config.folders
    folders.make()
    write_household(folders.registry, "tiny")
    with closing(Store(folders.database)) as kept:
        Weights(folders.weights, kept)
    before = everything_below(folders.home)
    run(scope)
    assert everything_below(folders.home) == before


def test_every_finding_can_be_said_in_every_language_and_as_json(scope: Scope) -> None:
    for _, finding in run(replace(scope, root=Path("/"))):
        assert json.dumps(finding.facts)
        for language in LANGUAGES:
            assert say(finding.message.key, language, **finding.message.facts)
            if finding.mend is not None:
                assert say(finding.mend.key, language, **finding.mend.facts)


@contextmanager
def extra_checks(folder: Path, files: dict[str, str]) -> Iterator[None]:
    """More checks beside those there are, for a while."""
    import sys

    write(folder, files)
    checks.__path__.append(str(folder))
    try:
        yield
    finally:
        checks.__path__.remove(str(folder))
        for name in files:
            sys.modules.pop(f"lumbre.checks.{Path(name).stem}", None)


def test_a_check_that_fails_is_told_as_such_and_the_others_go_on(
    scope: Scope, tmp_path: Path
) -> None:
    files = {
        "boom.py": "PLACE = 1\ndef check(scope):\n    yield from ()\n    raise KeyError('x')\n"
    }
    with extra_checks(tmp_path / "more", files):
        findings = run(scope, ["boom", "terminal"])
    assert [(name, finding.status) for name, finding in findings] == [
        ("boom", "fail"),
        ("terminal", "ok"),
    ]
    assert "KeyError" in findings[0][1].message


def test_a_check_that_does_not_end_is_left_behind(scope: Scope, tmp_path: Path) -> None:
    text = "import threading\nPLACE = 1\nGO = threading.Event()\n"
    text += "def check(scope):\n    GO.wait()\n    return []\n"
    with extra_checks(tmp_path / "more", {"sleepy.py": text}):
        findings = run(scope, ["sleepy", "terminal"], patience_s=0.5)
        checks._load("sleepy").GO.set()  # type: ignore[attr-defined]
    assert [(name, finding.status) for name, finding in findings] == [
        ("sleepy", "fail"),
        ("terminal", "ok"),
    ]


# The machine


def test_a_processor_that_lacks_what_the_engine_needs_is_noted(scope: Scope) -> None:
    write(scope.root, {"proc/cpuinfo": "model name: Pentium\nflags: sse2 avx\n"})
    finding = one(scope, "processor")
    if finding.facts["architecture"] != "x86_64":
        pytest.skip("the engine's needs on other processors are not known")
    assert finding.status == "warn"
    assert finding.facts["missing"] == ["avx2", "f16c", "fma"]
    assert "lumbre engines install" in mends(finding)


def memory_of(root: Path, total_bytes: int, available_bytes: int, limit_bytes: int) -> None:
    files = {
        "proc/meminfo": f"MemTotal: {total_bytes // 1024} kB\n"
        f"MemAvailable: {available_bytes // 1024} kB\n",
        "proc/self/cgroup": "0::/app\n",
        "sys/fs/cgroup/app/memory.max": str(limit_bytes),
        "sys/fs/cgroup/app/memory.current": "0",
        "sys/fs/cgroup/app/memory.stat": "",
    }
    write(root, files)


@pytest.mark.parametrize(
    ("available", "limit", "status", "key"),
    [
        (8 * GIB, 32 * GIB, "ok", "ok"),
        (8 * GIB, 4 * GIB, "ok", "limited"),
        (50 * 2**20, 32 * GIB, "warn", "little"),
        (8 * GIB, 64 * 2**20, "fail", "too_small"),
    ],
)
def test_memory_is_held_against_the_smallest_model_that_talks(
    scope: Scope, available: int, limit: int, status: str, key: str
) -> None:
    memory_of(scope.root, 16 * GIB, available, limit)
    finding = one(scope, "memory")
    assert (finding.status, finding.message.key) == (status, f"doctor.memory.{key}")
    assert (finding.mend is None) == (status == "ok")


def pci(root: Path, slot: str, vendor: str) -> None:
    folder = f"sys/bus/pci/devices/{slot}"
    files = {"class": "0x030000\n", "vendor": f"{vendor}\n", "device": "0x1234\n"}
    write(root, {f"{folder}/{name}": text for name, text in files.items()})


@pytest.mark.parametrize(
    ("slot", "vendor", "status", "words"),
    [
        ("0000:01:00.0", "0x10de", "warn", "driver does not run"),
        ("0000:01:00.0", "0x1002", "warn", "AMD (1002:1234): not supported yet"),
        ("0000:00:02.0", "0x8086", "ok", "Intel (8086:1234): not supported yet"),
        ("0000:01:00.0", "0x1a03", "ok", "no card"),
    ],
)
def test_graphics_are_named_whether_they_can_be_used_or_not(
    scope: Scope, slot: str, vendor: str, status: str, words: str
) -> None:
    pci(scope.root, slot, vendor)
    finding = one(scope, "graphics")
    assert finding.status == status
    assert words in finding.message


def test_a_driver_without_its_library_is_said_with_what_mends_it(scope: Scope) -> None:
    if list(Path("/dev").glob("nvidia*")):
        pytest.skip("NVIDIA's driver runs on this machine")
    write(scope.root, {"dev/nvidiactl": ""})
    finding = one(scope, "graphics")
    assert finding.status == "warn"
    assert "libnvidia-ml" in finding.message
    assert "install" in mends(finding)


def test_the_engine_that_comes_along_starts_and_tells_its_build(scope: Scope) -> None:
    finding = look(scope, "engine")[0]
    assert finding.status == "ok"
    assert re.fullmatch(r"xllamacpp [\d.]+ \(llama\.cpp b\d+\)", finding.message)


def test_an_engine_of_the_settings_that_is_not_here_fails(scope: Scope) -> None:
    folders = scope.config.folders
    folders.make()
    folders.config_file.write_text('[worker]\nengine = "nada"\n')
    here = {"LUMBRE_HOME": str(folders.home)}
    for config, mend in (
        (load(here), f'put "auto" there ({folders.config_file}:2)'),
        (load(here | {"LUMBRE_WORKER__ENGINE": "nil"}), "unset LUMBRE_WORKER__ENGINE"),
        (load(here, {"worker.engine": "nil"}), "leave --set worker.engine out"),
    ):
        built_in, missing = look(replace(scope, config=config), "engine")
        assert (built_in.status, missing.status) == ("ok", "fail")
        assert mends(missing).startswith(mend)


def test_a_card_that_no_engine_uses_is_noted(
    scope: Scope, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(make_library(tmp_path)))
    plug_in(scope.root)
    assert one(scope, "graphics").message.startswith("gpu0: NVIDIA GeForce RTX 4070, 12.9 GB")
    _, idle = look(scope, "engine")
    assert idle.facts["cards"] == ["NVIDIA GeForce RTX 4070"]
    assert mends(idle) == "lumbre engines install"
    hidden = replace(scope, environment={"CUDA_VISIBLE_DEVICES": ""})
    assert mends(one(hidden, "graphics")) == "unset CUDA_VISIBLE_DEVICES"


def test_a_program_that_is_no_engine_is_noted(scope: Scope, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "llama-server"
    write(tmp_path, {"bin/llama-server": "#!/bin/sh\nexit 3\n"})
    program.chmod(0o755)
    built_in, other = look(replace(scope, environment={"PATH": str(program.parent)}), "engine")
    assert (built_in.status, other.status) == ("ok", "warn")
    assert other.facts["path"] == str(program)


@pytest.mark.parametrize(
    ("encoding", "status"),
    [("utf-8", "ok"), ("UTF8", "ok"), ("iso8859-1", "warn"), ("", "warn"), ("nonsense", "warn")],
)
def test_a_terminal_without_utf_8_is_noted(scope: Scope, encoding: str, status: str) -> None:
    assert one(replace(scope, encoding=encoding), "terminal").status == status


def test_programs_that_are_not_there_are_no_trouble(scope: Scope) -> None:
    for name in ("npm", "ollama"):
        finding = one(replace(scope, environment={"OLLAMA_HOST": "far.example:1"}), name)
        assert (finding.status, finding.mend) == ("ok", None)


# Ollama


@contextmanager
def answering(body: bytes) -> Iterator[int]:
    """Something that listens on this machine: its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("form", ["{}", "127.0.0.1:{}", "http://localhost:{}/", "0.0.0.0:{}"])
def test_an_ollama_that_answers_is_told_with_its_version(scope: Scope, form: str) -> None:
    with answering(b'{"version": "0.35.0"}') as port:
        host = f":{port}" if form == "{}" else form.format(port)
        finding = one(replace(scope, environment={"OLLAMA_HOST": host}), "ollama")
    assert finding.facts == {"version": "0.35.0", "port": port}


@pytest.mark.parametrize("body", [b"", b"hello", b"[]", b'{"version": 7}', b"x" * 10_000])
def test_what_else_listens_there_is_not_taken_for_ollama(scope: Scope, body: bytes) -> None:
    with answering(body) as port:
        finding = one(replace(scope, environment={"OLLAMA_HOST": f":{port}"}), "ollama")
    assert finding.message.key == "doctor.ollama.none"


# The home


def test_a_home_that_is_a_file_is_no_home(scope: Scope) -> None:
    scope.config.folders.home.write_text("")
    assert one(scope, "home").message.key == "doctor.home.no_folder"
    assert "LUMBRE_HOME" in mends(one(scope, "home"))


@pytest.mark.parametrize("home", ["/proc/lumbre", "/dev/null/lumbre"])
def test_a_home_where_nothing_can_be_written_is_no_home(home: str) -> None:
    finding = one(Scope(config=load({"LUMBRE_HOME": home})), "home")
    assert (finding.status, finding.message.key) == ("fail", "doctor.home.not_writable")


def test_a_home_on_another_machine_is_noted(scope: Scope, tmp_path: Path) -> None:
    mounts = "21 1 0:1 / / rw - ext4 /dev/sda rw\n"
    mounts += f"22 21 0:2 / {tmp_path} rw,noatime shared:3 - nfs4 server:/home rw\nodd line\n"
    write(scope.root, {"proc/self/mountinfo": mounts})
    finding = one(scope, "home")
    assert (finding.status, finding.facts["kind"]) == ("warn", "nfs4")


def test_settings_that_cannot_be_used_are_a_finding_with_a_command_that_works(
    scope: Scope,
) -> None:
    folders = scope.config.folders
    folders.make()
    for text in ("[memory\n", "[memory]\nmax_ram_gb = -1\n", "[memory]\nmaxram = 1\n"):
        folders.config_file.write_text(text)
        with pytest.raises(LumbreError) as caught:
            load({"LUMBRE_HOME": str(folders.home)})
        finding = one(replace(scope, trouble=caught.value), "config")
        assert finding.status == "fail"
        assert f"mv {folders.config_file}" in mends(finding)
    with pytest.raises(LumbreError) as caught:
        load({"LUMBRE_HOME": str(folders.home / "x"), "LUMBRE_NONSENSE": "1"})
    assert mends(one(replace(scope, trouble=caught.value), "config")) == "unset LUMBRE_NONSENSE"


def test_a_disk_too_small_for_the_weights_is_a_failure(small_disk: Path) -> None:
    config = load({"LUMBRE_HOME": str(small_disk / "home"), "LUMBRE_MODELS": str(small_disk)})
    finding = one(Scope(config=config), "disk")
    assert (finding.status, finding.message.key) == ("fail", "doctor.disk.full")
    assert "LUMBRE_MODELS" in mends(finding)


def test_two_disks_are_looked_at_each_for_what_goes_there(small_disk: Path, scope: Scope) -> None:
    config = load({"LUMBRE_HOME": str(small_disk), "LUMBRE_MODELS": str(scope.config.folders.home)})
    home, weights = look(Scope(config=config), "disk")
    assert (home.status, home.message.key) == ("warn", "doctor.disk.little")
    assert weights.facts["need_bytes"] == pytest.approx(1.7e9, rel=0.1)


# The database


def database(scope: Scope) -> Path:
    scope.config.folders.make()
    with closing(Store(scope.config.folders.database)) as kept:
        Weights(scope.config.folders.weights, kept)
    return scope.config.folders.database


def test_a_database_that_is_whole_is_said_to_be(scope: Scope) -> None:
    assert one(scope, "store").message.key == "doctor.store.not_yet"
    database(scope)
    assert one(scope, "store").message.key == "doctor.store.ok"


def test_a_database_that_somebody_writes_to_is_read_beside_him(scope: Scope) -> None:
    path = database(scope)
    with closing(Store(path)) as kept, kept.writing() as connection:
        connection.execute("CREATE TABLE mine (number INTEGER)")
        assert one(scope, "store").status == "ok"


def test_a_database_too_large_for_a_look_is_not_called_whole(
    scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = database(scope)
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("CREATE TABLE much (number INTEGER PRIMARY KEY, text TEXT)")
        connection.execute(
            "WITH RECURSIVE up(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM up WHERE n < 20000)"
            " INSERT INTO much SELECT n, hex(randomblob(20)) FROM up"
        )
    monkeypatch.setattr(store, "_PATIENCE_S", -1.0)
    assert one(scope, "store").message.key == "doctor.store.in_part"


def test_a_database_that_is_damaged_fails(scope: Scope) -> None:
    path = database(scope)
    path.write_bytes(b"not a database" * 1000)
    finding = one(scope, "store")
    assert finding.facts["code"] == "store_damaged"
    aside = path.with_name("damaged")
    assert mends(finding).startswith(f"mkdir -p {aside} && mv {path}* {aside} ")
    path.unlink()
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("CREATE TABLE theirs (number INTEGER)")
        connection.execute("INSERT INTO theirs VALUES (1)")
    assert "another program" in one(scope, "store").message


def test_a_page_that_was_overwritten_is_found(scope: Scope) -> None:
    path = database(scope)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    assert one(scope, "store").facts["code"] == "store_damaged"


def test_weights_are_told_of_beside_a_database_that_is_damaged(scope: Scope) -> None:
    database(scope).write_bytes(b"not a database" * 1000)
    assert "store_damaged" not in {f.facts.get("code") for f in look(scope, "weights")}


def test_what_stands_where_a_file_or_folder_should_is_to_be_moved_away(scope: Scope) -> None:
    folders = scope.config.folders
    folders.home.mkdir()
    folders.database.mkdir()
    folders.config_file.mkdir()
    folders.registry.write_text("")
    with pytest.raises(LumbreError) as caught:
        load({"LUMBRE_HOME": str(folders.home)})
    scope = replace(scope, trouble=caught.value)
    places = {
        "store": folders.database,
        "config": folders.config_file,
        "manifests": folders.registry,
    }
    for name, path in places.items():
        finding = one(scope, name)
        assert (finding.status, mends(finding)) == ("fail", f"mv {path} {path}.bad")


# The models


def registry(scope: Scope) -> Path:
    scope.config.folders.make()
    write_household(scope.config.folders.registry, "tiny")
    return scope.config.folders.registry


def test_manifests_in_order_tell_who_answers(scope: Scope) -> None:
    assert one(scope, "manifests").message.key == "doctor.manifests.not_yet"
    registry(scope)
    assert one(scope, "manifests").facts["primary"] == "smollm2-135m-instruct-q4_1"


def test_a_manifest_that_cannot_be_read_is_named_and_the_others_serve(scope: Scope) -> None:
    (registry(scope) / "bad.yaml").write_text("id: [")
    (registry(scope) / "worse.yaml").write_text("id: x\n")
    bad, worse, rest = look(scope, "manifests")
    assert (bad.status, worse.status, rest.status) == ("fail", "fail", "ok")
    assert "bad.yaml" in bad.message
    assert "worse.yaml" in worse.message


def test_a_home_without_a_model_that_speaks_fails(scope: Scope) -> None:
    folder = registry(scope)
    for path in folder.glob("smollm2*"):
        path.unlink()
    assert one(scope, "manifests").facts["code"] == "no_primary"
    for path in folder.iterdir():
        path.unlink()
    assert "lumbre init" in mends(one(scope, "manifests"))


def test_a_manifest_that_would_answer_and_is_broken_is_told_once(scope: Scope) -> None:
    folder = registry(scope)
    for path in folder.glob("smollm2*"):
        (folder / "twice.yaml").write_text(path.read_text())
    (finding,) = look(scope, "manifests")
    assert finding.facts["code"] == "duplicate_id"


def test_a_primary_of_the_settings_that_is_not_there_fails(scope: Scope) -> None:
    registry(scope)
    (scope.config.folders.config_file).write_text('[llm.primary]\nid = "nobody"\n')
    config = load({"LUMBRE_HOME": str(scope.config.folders.home)})
    assert one(replace(scope, config=config), "manifests").facts["code"] == "unknown_model"


CONTENT = b"weights " * 1000


@pytest.fixture
def model(scope: Scope) -> Manifest:
    """The only model of a home, whose weights are eight thousand bytes."""
    scope.config.folders.make()
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    file = WeightsFile(path="small.gguf", sha256=sha256, size_bytes=len(CONTENT))
    manifest = replace(
        shipped("tiny")[0], id="small", path=file.path, checksum_sha256=sha256, files=(file,)
    )
    save_manifest(manifest, scope.config.folders.registry / "small.yaml")
    return manifest


def test_weights_that_are_missing_say_what_fetches_them(scope: Scope, model: Manifest) -> None:
    finding = one(scope, "weights")
    assert (finding.status, finding.message.key) == ("fail", "doctor.weights.absent")
    assert finding.facts["missing_bytes"] == len(CONTENT)
    assert mends(finding) == f"lumbre models pull {model.id}"


def test_weights_fail_where_nothing_is_answered_without_them(scope: Scope, model: Manifest) -> None:
    folders = scope.config.folders
    (folders.weights / "small.gguf").write_bytes(CONTENT)
    embedding = next(one for one in shipped("tiny") if one.role == "embedding")
    for other in (replace(model, id="other", role="secondary"), replace(embedding, id="vectors")):
        file = replace(model.weights[0], path=f"{other.id}.gguf")
        gone = replace(other, path=file.path, checksum_sha256=file.sha256, files=(file,))
        save_manifest(gone, folders.registry / f"{other.id}.yaml")

    def told(**settings: str) -> dict[object, str]:
        here = {"LUMBRE_HOME": str(folders.home), "LUMBRE_MODELS": str(folders.weights)}
        config = load(here, {key.replace("__", "."): value for key, value in settings.items()})
        found = look(replace(scope, config=config), "weights")
        return {finding.facts["model"]: finding.status for finding in found}

    assert told() == {"small": "ok", "other": "warn", "vectors": "fail"}
    assert told(llm__primary__id="other") == {"small": "ok", "other": "fail", "vectors": "fail"}


def test_weights_of_another_size_fail(scope: Scope, model: Manifest) -> None:
    (scope.config.folders.weights / "small.gguf").write_bytes(CONTENT[:-1])
    finding = one(scope, "weights")
    assert (finding.status, finding.message.key) == ("fail", "doctor.weights.corrupt")
    assert mends(finding).endswith(f"lumbre models pull {model.id}")


def test_weights_are_called_compared_only_once_they_were(scope: Scope, model: Manifest) -> None:
    (scope.config.folders.weights / "small.gguf").write_bytes(CONTENT)
    assert one(scope, "weights").message.key == "doctor.weights.here"
    with closing(Store(scope.config.folders.database)) as kept:
        Weights(scope.config.folders.weights, kept).verify(model)
    assert one(scope, "weights").message.key == "doctor.weights.checked"


def test_weights_whose_bytes_were_found_wrong_fail(scope: Scope, model: Manifest) -> None:
    path = scope.config.folders.weights / "small.gguf"
    path.write_bytes(CONTENT[::-1])
    assert one(scope, "weights").status == "ok"
    with closing(Store(scope.config.folders.database)) as kept:
        Weights(scope.config.folders.weights, kept).sha256(path)
    assert one(scope, "weights").status == "fail"


# The household


def test_a_household_that_crashed_is_noted_with_its_log(scope: Scope) -> None:
    crashed = Serving(pid=1, version="0", socket=Path("/nowhere"), is_alive=False)
    finding = one(replace(scope, serving=crashed), "household")
    assert (finding.status, finding.mend) == ("warn", None)
    scope.config.folders.make()
    scope.config.folders.household_log.write_text("oh\n")
    assert str(scope.config.folders.household_log) in mends(
        one(replace(scope, serving=crashed), "household")
    )


def test_a_household_that_does_not_open_its_door_fails(scope: Scope, tmp_path: Path) -> None:
    deaf = Serving(pid=1, version="0", socket=tmp_path / "no.sock", is_alive=True)
    assert one(replace(scope, serving=deaf), "socket").message.key == "doctor.socket.closed"
    assert one(replace(scope, serving=deaf), "household").message.key == "doctor.household.other"


def test_a_door_in_a_folder_that_is_none_fails(scope: Scope) -> None:
    scope.config.folders.home.mkdir()
    (scope.config.folders.home / "run").write_text("")
    assert one(scope, "socket").message.key == "doctor.socket.foreign"


def test_the_page_names_every_check() -> None:
    page = Path(__file__).parents[2] / "docs" / "doctor.md"
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", page.read_text("utf-8"), re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert told == [*checks.names(), "check", "status", "message", "mend", "facts"]
