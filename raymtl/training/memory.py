"""The C allocator of a process that trains."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # malloc.h


def settle_allocator() -> bool:
    """Lets glibc keep freed buffers instead of handing them back to the kernel at every step.

    The losses stay bit for bit the same; the process holds about 100-200 MB more. Call it once at
    the start of a process. Returns whether the C library took it (only glibc does).
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    settings = {_MMAP_THRESHOLD: 1 << 30, _TRIM_THRESHOLD: 1 << 30, _TOP_PAD: 64 << 20}
    return all(library.mallopt(name, value) for name, value in settings.items())
