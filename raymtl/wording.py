"""Counts in words that a person reads."""

from __future__ import annotations


def counted(count: int, thing: str) -> str:
    """``1 clip``, ``2 clips``, ``1,000 clips``; `thing` is in the singular."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
