"""Keep on disk what engines had read of talks: within bounds, whole, and for nobody else.

A state is two files of one name: `.state` as the engine wrote it, with every token of the
talk in it, and `.json` that says what it is. The second is written last, and a state is
given to an engine only while the two agree to the byte: engines end over files that are cut
(llama.cpp: GGML_ASSERT in llama_state_seq_load_file). Whatever does not agree is deleted.

Other processes keep and forget here too, and a person may delete the home at any moment. So
nothing stays that was written while its conversation went, or that was read before a document
was forgotten of which it may have a passage; no folder is ever made, and nothing is written
into one that stands where the folder that was opened has been.
"""

import hashlib
import json
import os
import re
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from lumbre.pool.talks.begun import begun_in, is_left, is_of, name_of

_FORMAT = 1
_NAME = re.compile(r"(\d+)-([0-9a-f]{24})\.(?:state|json)")
_MOST_SAID_BYTES = 4 * 2**20
_DISK_LEFT_BYTES = 256 * 2**20
"""Never the last of a disk: what is kept here only saves time."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a state is, beside the bytes of it."""

    model: str
    tokens: int
    """As many as the engine wrote."""
    prompt_tokens: int
    """Of the last prompt among them; an answer follows. 0: not known."""
    said: tuple[str, ...]
    """The marks of that prompt's messages."""


class States:
    """The states of one home. Its methods read and write files: call them from a thread."""

    def __init__(
        self,
        folder: Path,
        bound_bytes: int,
        disk_left_bytes: int = _DISK_LEFT_BYTES,
        is_there: Callable[[int], bool] = lambda conversation: True,
        removals: Callable[[], int] = lambda: 0,
    ) -> None:
        """Where there is no such folder nothing is kept.

        `is_there`: whether a conversation has not been deleted, `removals`: how often documents
        were, by any process; they are called from the threads that call this. What is here of
        others, or over the bound, goes now.
        """
        self._folder = folder
        self._bound_bytes = bound_bytes
        self._disk_left_bytes = disk_left_bytes
        self._is_there = is_there
        self._removals = removals
        self._read_at = removals()
        """Engines that write here have read nothing of documents that were removed until then."""
        self._begun: set[str] = set()
        self._lock = threading.Lock()
        self._count = 0
        self._opened = self._hold()
        self._open()

    def begin(self, conversation: int, size_bytes: int) -> str | None:
        """The name of an empty file for an engine to write to; None: so much is not kept.

        States that were not used for longest make room.

        Raises:
            OSError: the folder cannot be written.
            LumbreError: whether documents were removed could not be asked.
        """
        if size_bytes > self._bound_bytes or not self._bound_bytes or not self._is_ours():
            return None
        if self._removals() != self._read_at:  # another process has removed some
            return None
        with self._lock:
            self._sweep()
            if not self._make_room(size_bytes, self._disk_left_bytes):
                return None
            self._count += 1
            name = name_of(conversation, self._count)
            self._begun.add(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        os.close(os.open(self._folder / name, flags, 0o600))
        return name

    def keep(self, name: str, conversation: int, fingerprint: str, kept: Kept) -> int:
        """Keep what an engine wrote under `name`. Its bytes; 0: it is over the bound, or the
        conversation is gone meanwhile. `discard` the name in any case.

        Raises:
            OSError: the folder cannot be written.
            LumbreError: whether the conversation is there could not be asked.
        """
        new = self._folder / name
        try:
            size_bytes = new.stat().st_size
        except FileNotFoundError:  # another process forgot it, or the home is gone
            return 0
        if size_bytes > self._bound_bytes:
            return 0
        facts = asdict(kept) | {
            "format": _FORMAT,
            "conversation": conversation,
            "fingerprint": fingerprint,
            "removals": self._read_at,
            "bytes": size_bytes,
            "sha256": _sha256(new),
        }
        said = self._folder / f"{name}.json"
        try:
            said.write_text(json.dumps(facts))
            said.chmod(0o600)
            new.chmod(0o600)
            with self._lock:
                is_kept = self._place(new, said, conversation, fingerprint, kept.model)
                if is_kept:
                    self._make_room(0, left_bytes=0)
        finally:
            said.unlink(missing_ok=True)
        return size_bytes if is_kept else 0

    def discard(self, name: str) -> None:
        """Take away what was begun and not kept."""
        self._begun.discard(name)
        with suppress(OSError):
            (self._folder / name).unlink(missing_ok=True)

    def find(self, conversation: int, fingerprint: str) -> tuple[str, Kept] | None:
        """The name of a conversation's state, and what it is; None, and no file, where it is
        not there, not whole, another's or of a later lumbre."""
        if not self._is_ours():
            return None
        state, facts_path = self._paths(conversation, fingerprint)
        try:
            kept = _checked(state, facts_path, conversation, fingerprint, self._read_at)
        except (OSError, ValueError, KeyError, TypeError):
            self.drop(conversation, fingerprint)
            return None
        with suppress(OSError):
            os.utime(facts_path)
        return state.name, kept

    def drop(self, conversation: int, fingerprint: str) -> None:
        """Delete one state."""
        if not self._is_ours():
            return
        for path in self._paths(conversation, fingerprint):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def forget(self, conversation: int) -> None:
        """Delete every state of a conversation: one that is being written too.

        Whoever writes one meanwhile finds that the conversation is not there: delete it first.
        """
        with self._lock:
            for path in begun_in(self._folder):  # first: these become the others
                if is_of(path, conversation):
                    self.discard(path.name)
            for number, fingerprint in list(self._all()):
                if number == conversation:
                    self.drop(number, fingerprint)

    def forget_all(self) -> None:
        """Delete every state, also those that are being written. Remove the documents first."""
        with self._lock:
            self._begun.clear()
            for path in begun_in(self._folder):
                self.discard(path.name)
            for one in list(self._all()):
                self.drop(*one)
            self._read_at = self._removals()

    def total_bytes(self) -> int:
        """What all states take on the disk."""
        return sum(self._size(*one) for one in self._all())

    def _hold(self) -> int | None:
        """Hold on to the folder: no other can have its number meanwhile. None: it is not there."""
        try:
            opened = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return None
        weakref.finalize(self, os.close, opened)
        with suppress(OSError):
            os.fchmod(opened, 0o700)
        return opened

    def _open(self) -> None:
        """What was here before: of what is deleted, left, or over the bound nothing stays."""
        if self._opened is None:
            return
        self._sweep(own=True)
        states = list(self._all())
        gone = {number for number in {number for number, _ in states} if not self._is_there(number)}
        for number, fingerprint in states:
            if number in gone or not self._bound_bytes or self._is_older(number, fingerprint):
                self.drop(number, fingerprint)
        with suppress(OSError):
            self._make_room(0, left_bytes=0)

    def _is_older(self, conversation: int, fingerprint: str) -> bool:
        """Whether documents were removed after it was read, by a process that was killed then."""
        try:
            facts = json.loads(_read(self._paths(conversation, fingerprint)[1]))
        except FileNotFoundError:  # half of one: it is deleted when it is looked for
            return False
        except (OSError, ValueError):
            return True
        return not isinstance(facts, dict) or facts.get("removals") != self._read_at

    def _is_ours(self) -> bool:
        """Whether the folder is the one that was opened, and not of another home in its place."""
        if self._opened is None:
            return False
        try:
            return os.path.samestat(self._folder.stat(), os.fstat(self._opened))
        except OSError:
            return False

    def _place(
        self, new: Path, said: Path, conversation: int, fingerprint: str, model: str
    ) -> bool:
        """Give what was written its name. False: its conversation, or the folder, is gone."""
        if not self._is_ours() or not self._is_there(conversation):
            return False
        if new.name not in self._begun or self._removals() != self._read_at:
            return False
        self._supersede(conversation, fingerprint, model)
        state, facts_path = self._paths(conversation, fingerprint)
        is_kept = False
        try:
            new.replace(state)
            said.replace(facts_path)
            # whoever deletes it from now on finds the files; before, we find that it is deleted
            is_kept = self._is_there(conversation)
        except FileNotFoundError:  # forgotten this very moment
            pass
        finally:
            if not is_kept:
                self.drop(conversation, fingerprint)
        return is_kept

    def _paths(self, conversation: int, fingerprint: str) -> tuple[Path, Path]:
        name = f"{conversation}-{fingerprint}"
        return self._folder / f"{name}.state", self._folder / f"{name}.json"

    def _all(self) -> Iterator[tuple[int, str]]:
        """Every state, least recently used first; halves of one too."""
        found: dict[tuple[int, str], float] = {}
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if named := _NAME.fullmatch(entry.name):
                    with suppress(OSError):
                        at = entry.stat(follow_symlinks=False).st_mtime
                        key = int(named[1]), named[2]
                        found[key] = max(found.get(key, 0.0), at)
        return iter(sorted(found, key=lambda key: found[key]))

    def _size(self, conversation: int, fingerprint: str) -> int:
        total = 0
        for path in self._paths(conversation, fingerprint):
            with suppress(OSError):
                total += path.lstat().st_size
        return total

    def _make_room(self, size_bytes: int, left_bytes: int) -> bool:
        """Whether so much more fits and leaves that of the disk, after all that went for it."""
        states = list(self._all())
        sizes = {one: self._size(*one) for one in states}
        total = sum(sizes.values())
        while True:
            free_bytes = shutil.disk_usage(self._folder).free - left_bytes
            if total + size_bytes <= self._bound_bytes and size_bytes <= free_bytes:
                return True
            if not states:
                return False
            oldest = states.pop(0)
            self.drop(*oldest)
            total -= sizes[oldest]

    def _supersede(self, conversation: int, fingerprint: str, model: str) -> None:
        """What this model had read under other settings will hardly be asked for again."""
        for number, other in list(self._all()):
            if number == conversation and other != fingerprint:
                with suppress(OSError, ValueError, AttributeError):
                    facts = json.loads(_read(self._paths(number, other)[1]))
                    if facts.get("model") == model:
                        self.drop(number, other)

    def _sweep(self, *, own: bool = False) -> None:
        """Take away what processes that ended had begun."""
        for path in begun_in(self._folder):
            with suppress(OSError):
                if is_left(path, time.time(), own=own):
                    path.unlink()


def _checked(
    state: Path, facts_path: Path, conversation: int, fingerprint: str, removals: int
) -> Kept:
    facts = json.loads(_read(facts_path))
    if (facts["format"], facts["conversation"], facts["fingerprint"], facts["removals"]) != (
        _FORMAT,
        conversation,
        fingerprint,
        removals,
    ):
        raise ValueError(facts["format"])
    if state.lstat().st_size != facts["bytes"] or _sha256(state) != facts["sha256"]:
        raise ValueError(facts["bytes"])
    said = tuple(str(mark) for mark in facts["said"])
    return Kept(str(facts["model"]), int(facts["tokens"]), int(facts["prompt_tokens"]), said)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_SAID_BYTES)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
