"""On what kind of file system a folder lies: some are not made for databases and locks."""

import re
from pathlib import Path

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "9p", "ceph", "glusterfs", "lustre"}
    | {"fuse.sshfs", "fuse.rclone", "fuse.glusterfs", "fuse.davfs", "davfs"}
)
"""Source: fs/*/super.c of Linux, `file_system_type.name`; fuse's are named by their programs.
9p is what WSL shows Windows' disks through."""
_ESCAPE = re.compile(r"\\(\d{3})")


def file_system(path: Path, root: Path = Path("/")) -> str | None:
    """The kind of file system a path lies on, as the kernel calls it; None: not known.

    Source: Documentation/filesystems/proc.rst, mountinfo.
    """
    try:
        lines = (root / "proc/self/mountinfo").read_text(errors="replace").splitlines()
    except OSError:
        return None
    kind, depth = None, -1
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        mount = Path(_ESCAPE.sub(lambda found: chr(int(found[1], 8)), fields[4]))
        if path.is_relative_to(mount) and len(mount.parts) >= depth:
            kind, depth = after.split(" ")[0], len(mount.parts)
    return kind


def is_over_network(kind: str | None) -> bool:
    """Whether what is written there goes to another machine, or through another system."""
    return kind in _NETWORK
