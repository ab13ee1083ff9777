"""Pull a model's weights: from the first source whose bytes are the right ones.

What has come is kept through any interruption; a file appears in its place only whole and
verified; of two pulls at once one fetches and the other waits for it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lumbre.core.errors import ComesWithLumbre, NoSourceDelivered, SourceFailed, WrongChecksum
from lumbre.core.model import Manifest, WeightsFile
from lumbre.registry.events import (
    Done,
    Event,
    Found,
    Progress,
    SourceGaveUp,
    Trying,
    Verifying,
    Waiting,
)
from lumbre.registry.meter import Meter
from lumbre.registry.reason import Reason, because, reason_of
from lumbre.registry.sources import Order, Patience, Places, source_of
from lumbre.registry.transfer import Partial, free_bytes, only_one, reading
from lumbre.registry.weights import Weights, comes_with_lumbre, in_package, sha256_of
from lumbre.words import Language

Report = Callable[[Event], None]

_MARGIN_BYTES = 64 << 20
"""Left free for the database and everybody else."""
_REPORT_EVERY_S = 0.1


def pull(
    manifest: Manifest,
    weights: Weights,
    *,
    home: Path,
    report: Report,
    language: Language = "en",
    patience: Patience | None = None,
    places: Places | None = None,
) -> None:
    """Bring every file of a model that is not here or not right.

    `language` is that of the reasons in `NoSourceDelivered`. Interrupted at any point,
    the next pull goes on where this one stopped.

    Raises:
        ComesWithLumbre: the files lie in an installed package.
        WeightsGone: a file that lumbre only pointed to is not there any more.
        WrongChecksum: such a file holds other bytes.
        NoSourceDelivered: each source and why it gave up.
        DiskFull: before the first byte where the size is known.
        HomeNotUsable: the weights folder cannot be written.
    """
    if comes_with_lumbre(manifest):
        raise ComesWithLumbre(model=manifest.id)
    weights.refuse_gone(manifest)
    for file in manifest.weights:
        if not in_package(file):
            path = weights.path(manifest, file)
            partial = Partial(path, file.size_bytes)
            ways = patience or Patience(), places or Places()
            _Job(manifest, file, partial, weights, home, report, *ways).run(language)


def sources_of(manifest: Manifest, file: WeightsFile, partial: Partial) -> tuple[str, ...]:
    """Who may deliver a file, in order: first whose bytes are already half here."""
    main = manifest.weights[0].path
    uris = [source.uri for source in manifest.sources if (source.file or main) == file.path]
    return tuple(sorted(dict.fromkeys(uris), key=lambda uri: not partial.belongs_to(uri)))


@dataclass(frozen=True, slots=True)
class _Job:
    """One file on its way."""

    manifest: Manifest
    file: WeightsFile
    partial: Partial
    weights: Weights
    home: Path
    report: Report
    patience: Patience
    places: Places

    def run(self, language: Language) -> None:
        path = self.partial.final
        if self._is_right():
            self.report(Found(path))
            return
        if not self.weights.is_ours(self.manifest, self.file):
            found, expected = self.weights.sha256(path), self.file.sha256
            raise WrongChecksum(model=self.manifest.id, path=path, expected=expected, found=found)
        tried: list[tuple[str, Reason]] = []
        with only_one(path, lambda: self.report(Waiting(path))):
            if self._is_right():
                self.report(Found(path))
                return
            for uri in sources_of(self.manifest, self.file, self.partial):
                reason = self._try(uri)
                if reason is None:
                    return
                self.report(SourceGaveUp(uri, reason))
                tried.append((uri, reason))
        each = [f"{uri}: {reason.say(language)}" for uri, reason in tried]
        told = "; ".join(each) or because("no_source").say(language)
        raise NoSourceDelivered(model=self.manifest.id, tried=told)

    def _is_right(self) -> bool:
        path = self.partial.final
        if not path.is_file():
            return False
        return self.weights.sha256(path, self.report) == self.file.sha256

    def _try(self, uri: str) -> Reason | None:
        """Why this source did not bring the right bytes; None when the file is in place."""
        resumed = self.partial.belongs_to(uri) and self.partial.size_bytes > 0
        try:
            reason = self._deliver(uri)
            if reason is not None and resumed:
                # The wrong ones may be those of last time: once more from the first byte.
                reason = self._deliver(uri)
        except SourceFailed as error:
            return reason_of(error)
        return reason

    def _deliver(self, uri: str) -> Reason | None:
        source = source_of(uri)
        partial = self.partial
        self.report(Trying(uri, partial.final))
        size_bytes = self.file.size_bytes
        if size_bytes is not None:
            self._refuse_full_disk(size_bytes, source.room_bytes(uri, size_bytes))
        began_s = time.perf_counter()
        order = Order(
            *(uri, partial, size_bytes, self.home, self.patience, self._shown()),
            sha256=self.file.sha256,
            places=self.places,
        )
        join_s = source.deliver(order)
        fetched_s = time.perf_counter()
        with reading(partial.path):
            found = sha256_of(partial.path, self._verifying)
        if found != self.file.sha256:
            partial.discard()
            return because("wrong_bytes", expected=self.file.sha256, found=found)
        verify_s = time.perf_counter() - fetched_s
        partial.finish()
        self.weights.remember(partial.final, found)
        fetch_s = fetched_s - began_s - join_s
        self.report(Done(partial.final, uri, fetch_s=fetch_s, join_s=join_s, verify_s=verify_s))
        return None

    def _refuse_full_disk(self, size_bytes: int, room_bytes: int) -> None:
        # What lies in the partial file is either kept or cut off first: free, both ways.
        need_bytes = size_bytes + room_bytes + _MARGIN_BYTES - self.partial.size_bytes
        if need_bytes > free_bytes(self.partial.final.parent):
            raise self.partial.disk_full(need_bytes)

    def _shown(self) -> Callable[[int, int | None], None]:
        """A listener for a source that reports seldom enough and checks a total it learns."""
        meter, path = Meter(), self.partial.final
        shown_s, checked = float("-inf"), self.file.size_bytes is not None

        def progress(done_bytes: int, total_bytes: int | None) -> None:
            nonlocal shown_s, checked
            if not checked and total_bytes is not None:
                checked = True
                self._refuse_full_disk(total_bytes, 0)
            now_s = time.monotonic()
            if now_s - shown_s < _REPORT_EVERY_S and done_bytes != total_bytes:
                return
            shown_s = now_s
            rate = meter.bytes_per_s(now_s, done_bytes)
            self.report(Progress(path, done_bytes, total_bytes, rate))

        return progress

    def _verifying(self, event: Verifying) -> None:
        self.report(Verifying(self.partial.final, event.done_bytes, event.total_bytes))
