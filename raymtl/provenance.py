"""The state of the code that made numbers, as git has it."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def git_state(folder: Path) -> dict[str, Any] | None:
    """commit, dirty and diff (SHA-256 of all changes since the commit) of a folder's repository.

    New files that git does not know count by name. None outside a repository and without git.
    """
    try:
        commit = _git(folder, "rev-parse", "HEAD").strip().decode()
        status = _git(folder, "status", "--porcelain")
        diff = _git(folder, "diff", "HEAD", "--binary") if status else b""
    except (OSError, subprocess.SubprocessError):
        return None
    digest = hashlib.sha256(status + b"\0" + diff).hexdigest() if status else ""
    return {"commit": commit, "dirty": bool(status), "diff": digest}


def state_in_words(state: Mapping[str, Any] | None) -> str | None:
    """What `git_state` gives, for people: the commit, and the digest of what was changed since."""
    if state is None:
        return None
    changed = f", and changes (SHA-256 {state['diff'][:12]})" if state["dirty"] else ""
    return f"{state['commit']}{changed}"


def commit(folder: Path) -> str | None:
    """The commit that a folder is at, with '+' when it has changes; None without git."""
    state = git_state(folder)
    return None if state is None else state["commit"] + ("+" if state["dirty"] else "")


def _git(folder: Path, *words: str) -> bytes:
    return subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, check=True, timeout=30
    ).stdout
