"""Where lumbre keeps its things: one home, and the weights apart if asked."""

import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lumbre.core.errors import HomeNotUsable
from lumbre.words import Sentence

_LONGEST_SOCKET_BYTES = 100
"""A Unix socket's path ends at 108 bytes on Linux, 104 on macOS (sockaddr_un)."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Every path that is ours. Nothing is created by looking."""

    home: Path
    weights: Path
    run: Path
    """Where sockets are: at home, or in a short folder where its path would be too long."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Folders":
        """By LUMBRE_HOME and LUMBRE_MODELS, else in the user's data folder."""
        if named := environment.get("LUMBRE_HOME"):
            home = Path(os.path.expanduser(named)).absolute()  # noqa: PTH111 - does not raise
        else:
            import platformdirs

            home = Path(platformdirs.user_data_dir("lumbre", appauthor=False))
        models = environment.get("LUMBRE_MODELS")
        weights = home / "weights"
        if models:
            weights = Path(os.path.expanduser(models)).absolute()  # noqa: PTH111
        return cls(home=home, weights=weights, run=_run_folder(home, environment))

    @property
    def config_file(self) -> Path:
        return self.home / "config.toml"

    @property
    def registry(self) -> Path:
        return self.home / "registry"

    @property
    def database(self) -> Path:
        return self.home / "lumbre.db"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def states(self) -> Path:
        """What engines had read of conversations when they were unloaded."""
        return self.home / "states"

    @property
    def household_log(self) -> Path:
        return self.logs / "household.log"

    @property
    def socket(self) -> Path:
        return self.run / "household.sock"

    def make(self) -> None:
        """Create what is missing, closed to other users.

        Raises:
            HomeNotUsable: one cannot be created or written.
        """
        for folder in (self.home, self.weights, self.run, self.registry, self.logs, self.states):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                handle, probe = tempfile.mkstemp(prefix=".lumbre-", dir=folder)
                os.close(handle)
                os.unlink(probe)  # noqa: PTH108
            except (FileExistsError, NotADirectoryError) as error:
                wrong = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
                raise HomeNotUsable(path=wrong, reason=Sentence("config.no_folder")) from error
            except OSError as error:
                raise HomeNotUsable(path=folder, reason=error.strerror or str(error)) from error
        _check_own(self.run)


def _check_own(folder: Path) -> None:
    """Sockets are opened only in a folder that nobody else can put anything into.

    One in a shared temporary folder has a name that others can guess.
    """
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
        raise HomeNotUsable(path=folder, reason="it belongs to somebody else")
    if facts.st_mode & 0o077:
        folder.chmod(0o700)


def _run_folder(home: Path, environment: Mapping[str, str]) -> Path:
    """`home/run`, or a short folder of this user's where the socket's path would be too long."""
    run = home / "run"
    if len(os.fsencode(run / "household.sock")) <= _LONGEST_SOCKET_BYTES:
        return run
    mark = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    base = environment.get("XDG_RUNTIME_DIR")
    if base and len(os.fsencode(base)) < 60 and Path(base).is_dir():
        return Path(base) / f"lumbre-{mark}"
    return Path(tempfile.gettempdir()) / f"lumbre-{os.getuid()}-{mark}"
