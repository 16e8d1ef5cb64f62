"""Recordings inside a larger file, read where they lie: ``shard-000.tar!/512+32044/a.wav``.

Such a path says the file, then the first byte and the number of bytes, then a name. It stands for
those bytes wherever a recording is meant; where a file of that very name exists, that is meant.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from raymtl.errors import AudioError

MOST = 2**31  # bytes of one member, which is read into memory
_MEMBER = re.compile(r"(?P<file>.+)!/(?P<first>\d{1,15})\+(?P<size>\d{1,15})/.+", re.ASCII)


class Member(NamedTuple):
    """`size` bytes of `file`, from byte `first`."""

    file: str
    first: int
    size: int


def address(file: str, first: int, size: int, name: str) -> str:
    """The path that stands for a member."""
    return f"{file}!/{first}+{size}/{name}"


def parse(path: str) -> Member | None:
    """The member that a path stands for; None for the path of an ordinary file."""
    found = _MEMBER.fullmatch(path) if "!/" in path else None
    return None if found is None else Member(found["file"], int(found["first"]), int(found["size"]))


def read(member: Member) -> bytes:
    """All bytes of a member.

    Raises:
        AudioError: when it is too large for memory, or the file ends before it does.
        OSError: when the file cannot be reached.
    """
    if member.size > MOST:
        raise AudioError(f"{member.size:,} bytes inside a file; at most {MOST:,}. Unpack it.")
    fd = os.open(member.file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts, at = [], member.first
        while left := member.first + member.size - at:
            part = os.pread(fd, left, at)
            if not part:
                raise AudioError(f"{member.file} ends {left:,} bytes before its member does")
            parts.append(part)
            at += len(part)
    finally:
        os.close(fd)
    return b"".join(parts)
