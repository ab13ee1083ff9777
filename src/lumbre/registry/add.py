"""A manifest for weights that are already on the disk, read from their header.

Nothing is copied: the manifest names the file where it lies.
"""

import itertools
import os
from collections.abc import Callable
from pathlib import Path

from lumbre.core.errors import DuplicateId, HomeNotUsable, UnknownModel, WrongPart
from lumbre.core.model import Manifest, Role, Source, WeightsFile
from lumbre.formats.gguf import bad_weights, read_header
from lumbre.registry.describe import described, is_projector, manifest_of
from lumbre.registry.events import Verifying
from lumbre.registry.folder import Registry
from lumbre.registry.manifest import save_manifest
from lumbre.registry.weights import sha256_of, unheard
from lumbre.words import Sentence

Report = Callable[[Verifying], None]


def manifest_from_file(
    path: Path,
    role: Role | None = None,
    *,
    model_id: str | None = None,
    projector: Path | None = None,
    report: Report = unheard,
) -> Manifest:
    """The manifest of a GGUF file; its checksum is computed, which reads the whole file.

    Raises:
        BadWeights, WrongPart, SplitWeights, NoChatTemplate, CannotDo: as `describe.described`.
        BadManifest: `model_id` cannot be an id.
        HomeNotUsable: a file cannot be read to its end.
    """
    path = named(path)
    model = described(read_header(path), path, role)
    files = [WeightsFile(path=str(path), sha256=_sum(path, report), size_bytes=model.size_bytes)]
    sources = [Source(uri=path.as_uri())]
    if projector is not None:
        projector = named(projector)
        files.append(beside(projector, "projector", _sum(projector, report)))
        sources.append(Source(uri=projector.as_uri(), file=str(projector)))
    return manifest_of(model, files, sources, path, model_id=model_id)


def beside(path: Path, part: str, sha256: str) -> WeightsFile:
    """A second file of a model.

    Raises:
        BadWeights: its header cannot be believed.
        WrongPart: it is no projector.
    """
    header = read_header(path)
    if part == "projector":
        if not is_projector(header):
            raise WrongPart(path=path, reason=Sentence("models.no_projector"))
        return WeightsFile(
            path=str(path), sha256=sha256, size_bytes=header.file_bytes, part="projector"
        )
    return WeightsFile(path=str(path), sha256=sha256, size_bytes=header.file_bytes, part="adapter")


def named(path: Path) -> Path:
    """A path as a manifest can hold it: absolute, and text.

    Raises:
        BadWeights: its name is not text.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100  a link's own name is the telling one
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise bad_weights(Path(ascii(str(path))), "not_text", what=ascii(path.name)) from error
    return path


def write(folder: Path, manifest: Manifest) -> Path:
    """Put a manifest into the registry folder; returns its file.

    Raises:
        DuplicateId: a model with this id is there.
        BadManifest: one with this id is there and cannot be used.
        DiskFull, HomeNotUsable: the folder cannot be written.
    """
    names = (f"{manifest.id}{n}.yaml" for n in itertools.chain([""], itertools.count(2)))
    path = next(folder / name for name in names if not (folder / name).exists())
    try:
        other = Registry(folder).path_of(manifest.id)
    except UnknownModel:
        save_manifest(manifest, path)
        return path
    raise DuplicateId(path=path, id=manifest.id, other=other)


def _sum(path: Path, report: Report) -> str:
    try:
        return sha256_of(path, report)
    except OSError as error:
        raise HomeNotUsable(path=path, reason=error.strerror or str(error)) from error
