"""A worker that serves one GGUF model with a llama-server program, its child, on loopback."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import psutil

from lumbre.workers import life
from lumbre.workers.flags import FlagMissing, flags, known_flags

PROGRAM = "llama-server"
_LOOK_S = 0.02
_ASK_S = 60.0
"""A program on a slow disk may take long to say its flags; one that hangs must not."""
_HEALTH_S = 5.0
_CARDS = ("CUDA", "ROCm", "Vulkan", "MTL", "Metal", "SYCL")
"""How llama.cpp names graphics cards, each with a number behind. Source: ggml/src/ggml-*."""


def main() -> None:
    worker = life.begin()
    program = worker.settings["engine_path"] or PROGRAM
    environment = _environment(program)
    _hold(program)
    known = known_flags(_asked(program, "--help", environment))
    devices = worker.settings["devices"]
    seen = cards(_asked(program, "--list-devices", environment)) if devices else ()
    if len(seen) < len(devices):
        told = f"the plan uses {', '.join(devices)}; this build sees {', '.join(seen) or 'no card'}"
        raise SystemExit(f"error: {told}")
    more = worker.settings.get("engine", {})
    key = _pipe_with(worker.settings["key"])
    files = {path: _plain(path) for path in worker.settings["adapters"]}
    orders = {**worker.settings, "adapters": [name for name, _ in files.values()]}
    if not Path(worker.settings["states_folder"]).is_dir():
        orders["states_folder"] = ""  # the program would not start over it
    try:
        line = flags(orders, key_path=f"/dev/fd/{key}", cards=seen[: len(devices)], known=known)
    except FlagMissing as missing:
        raise SystemExit(f"error: this {program} is of another time: it has no {missing}") from None
    child = _start(
        [program, *line, *(part for pair in more.items() for part in pair)],
        environment,
        [key, *(handle for _, handle in files.values() if handle is not None)],
    )
    worker.before_end(lambda: _end(child))
    port = _serving(child)
    if port is not None:
        worker.announce(f"http://127.0.0.1:{port}")
    status = child.wait()
    if worker.is_ending:
        worker.wait()
    _end_like(status)


def cards(told: str) -> tuple[str, ...]:
    """The names of graphics cards in what `--list-devices` printed, in its order."""
    names = [line.split(":")[0].strip() for line in told.splitlines() if line.startswith("  ")]
    return tuple(name for name in names if name.rstrip("0123456789") in _CARDS)


def _asked(program: str, question: str, environment: Mapping[str, str]) -> str:
    us = os.getpid()
    try:
        told = subprocess.run(
            [program, question],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=environment,
            timeout=_ASK_S,
            check=False,
            preexec_fn=lambda: life.die_with(us),
        )
    except OSError as error:
        raise SystemExit(f"error: {program}: {error.strerror or error}") from None
    except subprocess.TimeoutExpired:
        raise SystemExit(f"error: {program} {question} said nothing for {_ASK_S:.0f} s") from None
    if told.returncode:
        raise SystemExit(f"error: {program} {question} ended with {told.returncode}")
    return told.stdout.decode(errors="replace")


def _environment(program: str) -> dict[str, str]:
    """Ours; a release unpacked into one folder finds its libraries beside the program."""
    environment = dict(os.environ)
    folder = Path(program).parent
    if "/" in program and any(folder.glob("libllama*")):
        before = [environment[name] for name in ("LD_LIBRARY_PATH",) if environment.get(name)]
        environment["LD_LIBRARY_PATH"] = os.pathsep.join([str(folder), *before])
    return environment


def _hold(program: str) -> None:
    """Keep its folder open, so that nobody takes it away from under us."""
    if "/" in program:
        with suppress(OSError):
            os.open(Path(program).parent, os.O_RDONLY)


def _start(
    line: Sequence[str], environment: Mapping[str, str], handles: Sequence[int]
) -> "subprocess.Popen[bytes]":
    """The child. It prints into our log and dies with this thread, the first of the process."""
    us = os.getpid()
    child = subprocess.Popen(
        line,
        stdin=subprocess.DEVNULL,
        env=environment,
        pass_fds=handles,
        preexec_fn=lambda: life.die_with(us),  # noqa: PLW1509 - the other thread only reads
    )
    for handle in handles:
        os.close(handle)
    return child


def _pipe_with(key: str) -> int:
    """A handle to read the key from: it stands in no file, command line or environment."""
    reading, writing = os.pipe()
    os.write(writing, key.encode() + b"\n")
    os.close(writing)
    return reading


def _plain(path: str) -> tuple[str, int | None]:
    """A name without the marks that part a list of adapters, and the handle it stands for."""
    if not set(path) & set(',:"\\'):
        return path, None
    handle = os.open(path, os.O_RDONLY)
    return f"/dev/fd/{handle}", handle


def _serving(child: "subprocess.Popen[bytes]") -> int | None:
    """The port it took, once its model is loaded; None when it has ended instead."""
    port: int | None = None
    while child.poll() is None:
        if port is None:
            port = _port(child.pid)
        elif _healthy(port):
            return port
        with suppress(subprocess.TimeoutExpired):
            child.wait(_LOOK_S)
    return None


def _port(pid: int) -> int | None:
    """Where it listens: the system knows, whatever the release writes into its log."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for connection in process.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN:
                return int(connection.laddr.port)
        for other in process.children():
            if any(found.status == psutil.CONN_LISTEN for found in other.net_connections("tcp")):
                process.kill()
                other.kill()
                raise SystemExit(
                    f"error: {process.name()} starts llama-server as another process, which would "
                    "outlive us; a script has to end with: exec llama-server"
                )
    return None


def _healthy(port: int) -> bool:
    """Whether the model is loaded: until then it answers 503."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_HEALTH_S)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Gone, its memory with it, before we are."""
    child.kill()
    child.wait()


def _end_like(status: int) -> NoReturn:
    """End as the child did, so that who started us reads its fate in ours."""
    if status < 0:
        with suppress(OSError, ValueError):  # SIGKILL has no handler to reset
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status or 1)


if __name__ == "__main__":
    main()
