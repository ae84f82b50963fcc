"""Files that are mapped into memory, with a place on the disk for each of their pages.

A file that was only made longer has none: SIGBUS ends the process that writes to the memory while
the disk is full. Here it is an error of the call that wants the place.
"""

from __future__ import annotations

import os

_BLOCK = 65536


def allocate(file: int, size: int) -> None:
    """Make a file at least so long, with a place on the disk for all of it; its content stays.

    Args:
        file: a descriptor that is open for writing.
        size: bytes.

    Raises:
        OSError: the disk is full, or the process may write no more.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    end = os.fstat(file).st_size
    while end < size:
        end += os.pwrite(file, bytes(min(_BLOCK, size - end)), end)
