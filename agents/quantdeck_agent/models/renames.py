"""Renames that replace nothing, or exchange two names at once."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

_NOREPLACE, _EXCHANGE = 1, 2
_AT_FDCWD = -100
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def rename_new(source: Path, target: Path) -> None:
    """Rename, but never over something.

    Raises:
        FileExistsError: there is something at the target.
        OSError: as `rename`.
    """
    if _renameat2(source, target, _NOREPLACE):
        return
    if os.path.lexists(target):  # file systems without the flag, such as some network mounts
        raise FileExistsError(errno.EEXIST, "File exists", str(target))
    source.rename(target)


def exchange(one: Path, other: Path) -> None:
    """Each gets the other's name at the same moment; where the file system cannot, by way of a third name.

    Raises:
        OSError: as `rename`.
    """
    if _renameat2(one, other, _EXCHANGE):
        return
    aside = one.with_name(one.name + ".aside")
    other.rename(aside)
    try:
        one.rename(other)
    except OSError:
        aside.rename(other)
        raise
    aside.rename(one)


def sync_folder(path: Path) -> None:
    """A rename survives a power cut only when its folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _renameat2(source: Path, target: Path, flags: int) -> bool:
    """Whether it was done; False where this system cannot."""
    call = _libc_renameat2()
    if call is None:
        return False
    if call(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flags) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(target))


@cache
def _libc_renameat2() -> Callable[..., int] | None:
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    call.restype = ctypes.c_int
    return call
