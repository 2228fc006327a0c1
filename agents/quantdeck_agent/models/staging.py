"""Where a model lies until it is complete and checked: parts below the model root, on the same file system."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from quantdeck_agent.models.renames import sync_folder
from quantdeck_core.errors import ConflictError

FOLDER = ".quantdeck-staging"
SYNC_BYTES = 16 << 20
SYNC_S = 2.0
"""Written between two syncs, whichever comes first: what a power cut may cost."""
_TREE = "tree"
_IOV_MAX = 1024


class StagingError(ConflictError):
    """Somebody else put something into the staging folder."""

    code = "staging-tampered"
    title = "The staging folder is not as it was left"


class Staging:
    """The parts of one transfer, `f0`, `f1`, ... in the order of its manifest; then a tree with their real names.

    No symbolic link is followed, and no file is written that has a second name.
    """

    def __init__(self, root: Path, identity: str) -> None:
        self.path = root / FOLDER / identity
        self._root = root

    def make(self) -> None:
        """Create the folder where there is none.

        Raises:
            StagingError: there is something else under its name.
            OSError: it cannot be made.
        """
        self._root.mkdir(parents=True, exist_ok=True)
        for folder in (self.path.parent, self.path):
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
            if not stat.S_ISDIR(folder.lstat().st_mode):
                raise StagingError(f"{folder} is no folder.", "Remove it, and send the model again.")

    @property
    def tree(self) -> Path:
        """The assembled model: a file or a folder."""
        return self.path / _TREE

    def write(self, part: int, offset: int, pieces: Sequence[bytes]) -> None:
        """Write at an offset.

        Raises:
            StagingError: the part is a link, no regular file, or has a second name.
            OSError: the disk is full, or worse.
        """
        with self._opened(part, os.O_WRONLY | os.O_CREAT) as descriptor:
            for first in range(0, len(pieces), _IOV_MAX):
                offset = _write_all(descriptor, pieces[first : first + _IOV_MAX], offset)

    def sync(self, parts: Iterable[int]) -> None:
        """Everything that was written to these parts is on the disk."""
        for part in parts:
            with self._opened(part, os.O_RDONLY) as descriptor:
                os.fdatasync(descriptor)
        sync_folder(self.path)

    def size(self, part: int) -> int:
        """Bytes of a part; 0 where there is none."""
        with contextlib.suppress(OSError):
            status = os.lstat(self._part(part))
            return status.st_size if stat.S_ISREG(status.st_mode) else 0
        return 0

    def cut(self, part: int, length: int) -> None:
        """Drop what is behind `length` bytes."""
        with self._opened(part, os.O_WRONLY | os.O_CREAT) as descriptor:
            os.ftruncate(descriptor, length)

    def link(self, part: int, source: Path) -> bool:
        """Give a file that is here already this part's name too; False where the file system does not."""
        try:
            os.link(source, self._part(part), follow_symlinks=False)
        except OSError:
            return False
        return True

    def remove(self, part: int, path: str) -> None:
        """Forget a part that is damaged, wherever it has got to."""
        for place in (self._part(part), self.tree if self.tree.is_file() else self.tree / path):
            with contextlib.suppress(OSError):
                place.unlink()

    def assemble(self, paths: Sequence[str], folder: bool) -> Path:
        """Give every part its real name below `tree`; goes on where it was interrupted.

        Raises:
            StagingError: a part is missing or no plain file.
            OSError: a rename failed.
        """
        for part, path in enumerate(paths):
            target = self.tree / path if folder else self.tree
            source = self._part(part)
            if os.path.lexists(source):
                if folder:
                    target.parent.mkdir(parents=True, exist_ok=True)
                source.rename(target)
            status = target.lstat() if os.path.lexists(target) else None
            if status is None or not stat.S_ISREG(status.st_mode):
                raise StagingError(f"{path} is not in the staging folder any more.", "Send the model again.")
        self._refuse_strangers(set(paths), folder)
        return self.tree

    def _refuse_strangers(self, paths: set[str], folder: bool) -> None:
        if not folder:
            return
        for at, folders, names in os.walk(self.tree):
            here = Path(at)
            links = [name for name in folders if (here / name).is_symlink()]
            found = [(here / name).relative_to(self.tree).as_posix() for name in names]
            if strange := [*links, *(path for path in found if path not in paths)]:
                raise StagingError(f"{strange[0]!r} does not belong to the model.", "Remove it, and send again.")
            sync_folder(here)

    def touched_at(self) -> float:
        """UNIX time of the last change of a part."""
        times = [self.path.lstat().st_mtime]
        with contextlib.suppress(OSError), os.scandir(self.path) as entries:
            times += [entry.stat(follow_symlinks=False).st_mtime for entry in entries]
        return max(times)

    def bytes(self) -> int:
        """Of everything in it."""
        total = 0
        for folder, _, names in os.walk(self.path):
            for name in names:
                with contextlib.suppress(OSError):
                    total += (Path(folder) / name).lstat().st_size
        return total

    def discard(self) -> None:
        """Remove everything of this transfer."""
        if self.path.is_symlink():
            self.path.unlink()
        shutil.rmtree(self.path, ignore_errors=True)

    def _part(self, part: int) -> Path:
        return self.path / f"f{part}"

    @contextlib.contextmanager
    def _opened(self, part: int, flags: int) -> Iterator[int]:
        path = self._part(part)
        try:
            folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                descriptor = os.open(
                    path.name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644, dir_fd=folder
                )
            finally:
                os.close(folder)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO):
                raise StagingError(f"{path} is no plain file.", "Remove it, and send the model again.") from None
            raise
        try:
            status = os.fstat(descriptor)
            writes = flags & os.O_WRONLY
            if not stat.S_ISREG(status.st_mode) or (writes and status.st_nlink != 1):
                raise StagingError(f"{path} is no file of this transfer alone.", "Remove it, and send again.")
            yield descriptor
        finally:
            os.close(descriptor)


def _write_all(descriptor: int, pieces: Sequence[bytes], offset: int) -> int:
    """The offset behind what was written; a disk that fills up writes less than it was given."""
    left: list[memoryview] = [memoryview(piece) for piece in pieces]
    while left:
        written = os.pwritev(descriptor, left, offset)
        offset += written
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if left and written:
            left[0] = left[0][written:]
    return offset


def left_overs(root: Path) -> list[str]:
    """Transfers that something is left of."""
    folder = root / FOLDER
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(os.listdir(folder))
