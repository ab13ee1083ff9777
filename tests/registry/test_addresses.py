"""Whatever stands in an address or comes from a registry, it is understood or refused by name."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre import registry
from lumbre.core.errors import SourceFailed
from lumbre.registry.offered import address_of
from lumbre.registry.reason import reason_of
from lumbre.registry.sources import _hub, _library, npm
from lumbre.registry.sources._library import layers_of

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_]{0,10}", fullmatch=True)
FILES = st.lists(NAMES, min_size=1, max_size=3).map(lambda parts: "/".join(parts) + ".gguf")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
)
LAYER = st.fixed_dictionaries(
    {
        "mediaType": st.text() | st.just("application/vnd.ollama.image.model"),
        "digest": st.text() | st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True),
        "size": st.integers() | st.booleans() | st.text(),
    }
)


@given(st.sampled_from(["hf:", "ollama:", "npm:"]), st.text())
def test_any_text_behind_a_scheme_is_an_address_or_refused_as_none(scheme: str, text: str) -> None:
    understand = {"hf:": _hub.address, "ollama:": _library.address, "npm:": npm.parcel}[scheme]
    try:
        understand(scheme + text)
    except SourceFailed as error:
        assert reason_of(error).code == "bad_uri"


@given(NAMES, NAMES, FILES, st.none() | NAMES)
def test_a_hub_address_has_its_parts_and_is_written_as_it_was(
    owner: str, name: str, file: str, revision: str | None
) -> None:
    uri = f"hf:{owner}/{name}/{file}" + (f"@{revision}" if revision else "")
    found = _hub.address(uri)
    assert (found.repository, found.file, found.revision) == (f"{owner}/{name}", file, revision)
    assert str(found) == uri
    at = f"resolve/{revision or 'main'}"
    page = f"https://huggingface.co/{owner}/{name}/{at}/{file}?download=true"
    assert address_of(page) == uri.removesuffix("@main")


@given(st.none() | NAMES, NAMES, NAMES)
def test_an_ollama_model_is_found_again_by_the_name_it_is_given(
    space: str | None, name: str, tag: str
) -> None:
    uri = f"ollama:{f'{space}/' if space else ''}{name}:{tag}"
    found = _library.address(uri)
    assert (found.space, found.name, found.tag) == (space or "library", name, tag)
    again = _library.address(found.part("projector"))
    assert (again.model, again.kind) == (found.model, "projector")


@given(JSON | st.fixed_dictionaries({"layers": st.lists(LAYER | JSON)}))
def test_a_manifest_of_any_shape_gives_sound_layers_or_none(manifest: object) -> None:
    layers = layers_of(manifest)
    if layers is not None:
        assert layers
        assert all(len(layer.sha256) == 64 and layer.size_bytes >= 0 for layer in layers)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the program ends by itself")
def test_a_tied_program_ends_with_the_one_that_started_it() -> None:
    tied = Path(registry.__path__[0]) / "tied.py"
    keeper = (
        "import os, subprocess, sys;"
        f"subprocess.Popen([sys.executable, '-P', {str(tied)!r}, str(os.getpid()),"
        " sys.executable, '-c', 'print(1, flush=True); import time; time.sleep(600)']);"
        "import time; time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", keeper], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"1\n"
        child.kill()
        # The end of the output comes when nobody is left who could write it.
        assert child.stdout.read() == b""
