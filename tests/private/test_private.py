"""No packet leaves the machine: documents are added and asked about where there is no way out."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import environment_of
from tests.guard import local_only

UNSHARE = ["unshare", "--net"] if os.getuid() == 0 else ["unshare", "--net", "--map-root-user"]

INSIDE = """
import fcntl, socket, struct, subprocess, sys
with socket.socket() as any_socket:  # bring loopback up: SIOCSIFFLAGS, IFF_UP | IFF_RUNNING
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
routes = open("/proc/net/route").read().splitlines()[1:]
interfaces = [line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]]
assert not routes and interfaces == ["lo"], (routes, interfaces)
try:
    socket.create_connection(("192.0.2.1", 80), 1)
except OSError:
    pass
else:
    raise SystemExit("there is a way out")
for words in (
    ["docs", "add", {documents!r}, "--json"],
    ["ask", "What is the boat called?", "--json"],
    ["stop"],
):
    done = subprocess.run([sys.executable, "-m", "lumbre", *words])
    if done.returncode:
        raise SystemExit(done.returncode)
"""


def may_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


def test_documents_are_added_and_asked_about_without_a_way_out(
    home: Path, tmp_path: Path, smollm2: Path
) -> None:
    if not may_unshare():
        pytest.skip("a network namespace may not be made here")
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "boat.txt").write_text("The boat is called Golondrina.\n")
    with local_only.lifted():  # the namespace keeps watch, over what Python does not see too
        done = subprocess.run(
            [*UNSHARE, sys.executable, "-c", INSIDE.format(documents=str(folder))],
            capture_output=True,
            text=True,
            env=environment_of(home, LUMBRE_LLM__PRIMARY__ID="smollm2-135m-instruct-q4_1"),
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    documents, rest = json.JSONDecoder().raw_decode(done.stdout)
    assert [document["status"] for document in documents] == ["indexed"]
    assert json.loads(done.stdout[rest:].rpartition("}")[0] + "}")["model"].startswith("smollm2")


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("socket.create_connection(('192.0.2.1', 9), 1)", "192.0.2.1"),
        ("socket.create_connection(('example.invalid', 9), 1)", "example.invalid"),
        ("socket.gethostbyname('example.invalid')", "example.invalid"),
        ("socket.socket().bind(('0.0.0.0', 0))", "0.0.0.0"),
        ("socket.socket().bind(('', 0))", "''"),
        ("socket.socket(socket.AF_INET6).bind(('::', 0))", "'::'"),
        ("socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))", "192.0.2.1"),
    ],
)
def test_the_guard_of_these_tests_sees_who_tries_to_leave(line: str, host: str) -> None:
    """Without this, a test of silence could pass because nobody listens."""
    before = local_only.seen()
    tried = subprocess.run(
        [sys.executable, "-c", f"import socket; {line}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "tests stay on this machine" in tried.stderr
    assert host in local_only.seen()[len(before) :]
    local_only.forget()


def test_the_guard_lets_loopback_and_unix_sockets_be(tmp_path: Path) -> None:
    program = f"""
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(("localhost", server.getsockname()[1])).close()
with socket.socket(socket.AF_UNIX) as unix:
    unix.bind({str(tmp_path / "s")!r})
socket.getaddrinfo(None, 80)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert local_only.seen() == ""
