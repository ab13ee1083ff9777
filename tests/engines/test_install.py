"""A build is whole, tried and ours when it is installed, or it is not there at all."""

import asyncio
import hashlib
import json
import os
import select
import signal
import struct
import subprocess
import sys
import tarfile
import zipfile
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from lumbre.backends import llama_cpp, llama_server
from lumbre.core.backend import WorkerSettings
from lumbre.core.errors import BadEngine, EngineInUse, UnknownEngine
from lumbre.core.generation import ChatRequest
from lumbre.core.messages import Message
from lumbre.core.model import Manifest
from lumbre.engines.catalogue import build
from lumbre.engines.find import Found, build_of, installed
from lumbre.engines.install import Machine, _fill, candidates, fetching, install
from lumbre.engines.remove import remove, users
from lumbre.pool.worker import Worker, new_key
from tests.engines.conftest import LINUX, card, host

GaveUps = list[tuple[str, str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home" / "engines"


def put(
    source: Path, home: Path, machine: Machine, wanted: str | None = None
) -> tuple[Found, GaveUps]:
    told: GaveUps = []
    row = build(wanted) if wanted else None
    done = install(source, home, machine, row, lambda path, why: told.append((path.name, str(why))))
    return done.engine, told


def left_in(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir() if path.name != ".lock")


def server_archive(path: Path, program: str) -> Path:
    """A release as llama.cpp publishes it, its program a script that becomes the real one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = path.parent / "content"
    folder.mkdir(exist_ok=True)
    script = folder / "llama-server"
    script.write_text(f'#!/bin/sh\nexec "{program}" "$@"\n')
    with tarfile.open(path, "w:gz") as packed:
        packed.add(script, "llama-b11669/llama-server")
    script.unlink()
    folder.rmdir()
    return path


async def said(manifest: Manifest, weights: Path, engine: Found, log: Path) -> tuple[str, bool]:
    """What a worker of this engine answers; and whether its files are in use the while."""
    backend: Any = (llama_server if engine.backend == "llama_server" else llama_cpp).backend
    settings = WorkerSettings(context_tokens=256, engine_path=engine.path)
    launch = backend.launch(manifest, {"weights": weights}, settings, new_key())
    worker = await Worker.start(launch, manifest.id, log)
    running = backend.connect(manifest, worker.url, worker.key)
    try:
        await running.ready()
        request = ChatRequest((Message("user", "Name a colour."),), 6, temperature=0.0)
        async with aclosing(running.chat(request)) as deltas:
            text = "".join([delta.text async for delta in deltas])
        folder = next(p for p in Path(engine.path, "x").parents if (p / "engine.json").exists())
        return text, bool(users(folder))
    finally:
        await running.close()
        await worker.stop()


@pytest.fixture
def chatter() -> Manifest:
    return Manifest(
        id="smollm2", family="smollm2", role="micro", format="gguf", capabilities=("chat",),
        revision="1", path="smollm2.gguf",
    )  # fmt: skip


def test_a_real_wheel_is_installed_from_a_folder_and_runs_from_there(
    wheel: Path, home: Path, machine: Machine, chatter: Manifest, smollm2: Path, tmp_path: Path
) -> None:
    engine, told = put(wheel.parent, home, machine)
    assert told == []
    assert left_in(home) == [engine.name]
    assert engine.backend == "llama_cpp"
    assert engine.build == build_of("llama_cpp", engine.path) == build_of("llama_cpp")
    record = json.loads((home / engine.name / "engine.json").read_text())
    assert record["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    text, is_used = asyncio.run(said(chatter, smollm2, engine, tmp_path / "log"))
    assert text.strip()
    assert is_used, "the worker has to have loaded this package and not ours"

    again = install(wheel, home, machine, None, print)
    assert again.was_here
    assert left_in(home) == [engine.name]
    assert remove(home, engine.name) == home / engine.name
    assert left_in(home) == []


def test_what_a_process_uses_is_not_removed(wheel: Path, home: Path, machine: Machine) -> None:
    engine, _ = put(wheel, home, machine, "cpu")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import xllamacpp; print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-P", "-c", code, engine.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as user:
        assert user.stdout is not None
        user.stdout.readline()
        with pytest.raises(EngineInUse) as caught:
            remove(home, engine.name)
        assert caught.value.facts == {"engine": engine.name, "pid": user.pid}
        user.kill()
    remove(home, engine.name)
    assert left_in(home) == []


def test_an_archive_with_a_server_is_installed_and_runs_from_there(
    home: Path,
    machine: Machine,
    chatter: Manifest,
    smollm2: Path,
    tmp_path: Path,
    llama_server: str,
) -> None:
    name = "llama-b11669-bin-ubuntu-x64.tar.gz"
    archive = server_archive(tmp_path / "offline" / name, llama_server)
    (archive.parent / "notes.zip").write_bytes(b"other things lie there too")
    (archive.parent / "llama-b99999-bin-ubuntu-x64.tar.gz").write_bytes(b"cut off")
    engine, told = put(archive.parent, home, machine)
    assert users(home / engine.name) == ()
    assert [path for path, _ in told] == ["llama-b99999-bin-ubuntu-x64.tar.gz"]
    assert "neither a wheel" in told[0][1]
    assert engine.backend == "llama_server"
    assert engine.path.startswith(str(home))
    assert engine.build.startswith("llama-server-b")
    text, is_used = asyncio.run(said(chatter, smollm2, engine, tmp_path / "log"))
    assert text.strip()
    assert is_used, "its program is a script that became another: its worker keeps it"


def test_a_folder_with_a_server_in_it_is_copied(
    home: Path, machine: Machine, tmp_path: Path, llama_server: str
) -> None:
    folder = tmp_path / "build" / "bin"
    folder.mkdir(parents=True)
    program = folder / "llama-server"
    program.write_text(f'#!/bin/sh\nexec "{llama_server}" "$@"\n')
    program.chmod(0o755)
    (folder / "libllama.so.1").write_bytes(b"")
    engine, _ = put(folder, home, machine)
    assert (Path(engine.path).parent / "libllama.so.1").exists()
    assert program.exists()
    assert put(program, home, machine)[0] == engine


def elf(machine: int) -> bytes:
    head = bytearray(64)
    head[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<H", head, 18, machine)
    return bytes(head)


def wheel_of(path: Path, library: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("xllamacpp/__init__.py", "__version__ = '1'")
        packed.writestr("xllamacpp/xllamacpp.abi3.so", library)
    return path


def server_of(path: Path, name: str, data: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        info = zipfile.ZipInfo(f"build/bin/{name}")
        info.external_attr = 0o100755 << 16
        packed.writestr(info, data)
    return path


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="its cases are wrong for x86_64")
@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("arm wheel", "made for aarch64, this machine is x86_64"),
        ("arm server", "made for aarch64"),
        ("windows server", "another system"),
        ("mac server", "made for darwin"),
        ("nothing", "no llama-server in it"),
        ("dies", "does not run here: libcuda.so.1: cannot open"),
        ("no engine", "does not run here: hello"),
        ("import fails", "does not run here"),
        ("text", "neither a wheel"),
        ("climbs", "outside its folder"),
        ("gone", "no such file"),
    ],
)
def test_what_is_no_engine_here_is_refused_by_name_and_leaves_nothing(
    home: Path, machine: Machine, tmp_path: Path, case: str, words: str
) -> None:
    path = tmp_path / "xllamacpp-1-cp310-abi3-manylinux_2_17_x86_64.whl"
    zipped = tmp_path / "llama-b1-bin-ubuntu-x64.zip"
    dies = b"#!/bin/sh\necho libcuda.so.1: cannot open shared object file >&2; exit 127\n"
    match case:
        case "arm wheel":
            source = wheel_of(path, elf(183))
        case "arm server":
            source = server_of(zipped, "llama-server", elf(183))
        case "windows server":
            source = server_of(zipped, "llama-server.exe", b"MZ")
        case "mac server":
            source = server_of(zipped, "llama-server", b"\xcf\xfa\xed\xfe" + bytes(60))
        case "nothing":
            source = server_of(zipped, "llama-cli", elf(62))
        case "dies":
            source = server_of(zipped, "llama-server", dies)
        case "no engine":
            source = server_of(zipped, "llama-server", b"#!/bin/sh\necho hello\n")
        case "import fails":
            source = wheel_of(path, elf(62))
        case "climbs":
            source = server_of(zipped, "../../../llama-server", elf(62))
        case "text":
            source = zipped
            source.write_text("<html>404</html>")
        case _:
            source = tmp_path / "gone.zip"
    with pytest.raises(BadEngine) as caught:
        put(source, home, machine)
    assert words in str(caught.value)
    assert caught.value.facts["path"] == source
    assert not home.exists() or left_in(home) == []
    with pytest.raises(BadEngine, match="no file in it suits"):
        put(tmp_path, home, machine)


def test_a_build_for_cards_is_refused_where_there_are_none(
    home: Path, machine: Machine, tmp_path: Path
) -> None:
    path = tmp_path / "llama-b1-bin-ubuntu-x64.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("bin/llama-server", "#!/bin/sh\necho version: 1\n")
        packed.writestr("bin/libggml-vulkan.so", b"")
    with pytest.raises(BadEngine) as caught:
        put(path, home, machine)
    if not machine.system.has_vulkan:
        assert "Vulkan" in str(caught.value)
    with pytest.raises(BadEngine, match="not server-cpu but server-vulkan"):
        put(path, home, machine, "server-cpu")


def test_of_a_folder_the_files_that_suit_come_first(tmp_path: Path) -> None:
    for name in (
        "cu128/xllamacpp-1-cp310-abi3-manylinux_2_35_x86_64.whl",
        "cu132/xllamacpp-1-cp310-abi3-manylinux_2_35_x86_64.whl",
        "rocm-7.2.4/xllamacpp-1-cp310-abi3-manylinux_2_35_x86_64.whl",
        "xllamacpp-1-cp310-abi3-manylinux_2_17_x86_64.whl",
        "llama-b900-bin-ubuntu-vulkan-x64.tar.gz",
        "llama-b1000-bin-ubuntu-x64.tar.gz",
        "llama-b900-bin-ubuntu-arm64.tar.gz",
        "llama-b900-bin-win-cuda-12.4-x64.zip",
        ".hidden/llama-b900-bin-ubuntu-x64.tar.gz",
        "photo.jpg",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def names(machine: Machine, wanted: str | None = None) -> list[str]:
        found = candidates(tmp_path, machine, build(wanted) if wanted else None)
        return [str(path.relative_to(tmp_path)).split("/xllama")[0] for path in found]

    plain = "xllamacpp-1-cp310-abi3-manylinux_2_17_x86_64.whl"
    server = "llama-b1000-bin-ubuntu-x64.tar.gz"
    ada = Machine(host(card(0, "8.9"), cuda="13.2"), LINUX)
    assert names(ada) == ["cu132", "cu128", server, plain]
    hopper = Machine(host(card(0, "9.0"), cuda="12.8"), LINUX)
    assert names(hopper) == ["cu128", server, plain]
    assert names(hopper, "cuda-13") == ["cu132", plain]
    assert names(Machine(host(), LINUX)) == [server, plain]
    newer = Machine(host(instructions=("avx512f",)), LINUX)
    assert names(newer) == [server, plain]
    assert names(newer, "server-cpu") == [server]


def test_an_install_that_is_killed_leaves_nothing_behind_the_next_one(
    wheel: Path, home: Path, machine: Machine
) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from lumbre.engines import install as i; from tests.engines.conftest import host\n"
        "from lumbre.engines.system import this_system\n"
        "i._try = lambda *_: (print('trying', flush=True), input())\n"
        "here = i.Machine(host(), this_system())\n"
        "i.install(Path(sys.argv[1]), Path(sys.argv[2]), here, None, print)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(wheel), str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as installing:
        assert installing.stdout is not None
        assert installing.stdout.readline() == b"trying\n"
        assert [name[:5] for name in left_in(home)] == [".new-"]
        assert installed(home) == (), "it is no engine before it was tried"
        with pytest.raises(BadEngine, match="another command"):
            put(wheel, home, machine)
        installing.send_signal(signal.SIGKILL)
        end = os.pidfd_open(installing.pid)
        select.select([end], [], [], 10)
        os.close(end)
    (home / ".fetch-999999999-x").mkdir()
    with fetching(home) as folder:
        engine, _ = put(wheel, home, machine)
        assert left_in(home) == sorted([folder.name, engine.name])


def test_only_what_was_installed_is_removed(home: Path) -> None:
    for name in ("built-in", "llama-server", "../engines", "."):
        with pytest.raises(UnknownEngine, match="has not installed"):
            remove(home, name)


@pytest.mark.parametrize("target", ["/etc", "../..", "a/../../b"])
def test_a_folder_whose_links_lead_out_of_it_is_refused(tmp_path: Path, target: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "llama-server").write_text("#!/bin/sh\n")
    (source / "l").symlink_to(target)
    (tmp_path / "new").mkdir()
    with pytest.raises(BadEngine) as refused:
        _fill(source, tmp_path / "new")
    assert "leads out" in str(refused.value)


def test_links_that_go_round_are_taken_as_they_are(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("a", "b"):
        (source / name).symlink_to(".")
    (tmp_path / "new").mkdir()
    _fill(source, tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a", "b"]
