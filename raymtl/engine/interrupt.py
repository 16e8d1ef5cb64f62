"""Ctrl-C and SIGTERM: once asks the sweep to save and stop, twice ends it at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
CODE = 130  # exit code of an interrupted sweep
_SAME = 0.2  # seconds: what signals a process and then its group, as timeout(1), means it once


class Interrupt:
    """Counts the signals; a context manager.

    A thread of its own reads them from a pipe that the interpreter's C handler writes to, so a
    main thread that waits inside Ray delays nothing.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._wanted: list[Callable[[], None]] = []
        self._before: dict[int, Any] = {}
        self._reading, self._writing = -1, -1

    @property
    def asked(self) -> bool:
        """Whether the user, or the system, wants the sweep to stop."""
        return self._asked.is_set()

    def on_first(self, action: Callable[[], None]) -> None:
        """Adds what happens at the first signal; at once if there has been one."""
        self._wanted.append(action)
        if self.asked:
            action()

    def ask(self) -> None:
        """Asks the sweep to stop, as the first signal does."""
        self._asked.set()
        for action in self._wanted:
            action()

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._reading, self._writing = os.pipe()
            os.set_blocking(self._writing, False)
            self._before = {number: signal.getsignal(number) for number in SIGNALS}
            self.renew()
            signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
            threading.Thread(target=self._listen, args=(self._reading,), daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        if self._before:
            signal.set_wakeup_fd(-1)
            for number, handler in self._before.items():
                signal.signal(number, handler)
            os.close(self._writing)  # ends the thread, which closes the other end

    def renew(self) -> None:
        """Takes the signals again: Ray, when it connects, puts a handler of SIGTERM in their place
        that ends the process."""
        if self._before:
            for number in SIGNALS:
                signal.signal(number, _noted)

    def _listen(self, pipe: int) -> None:
        first = 0.0
        while numbers := os.read(pipe, 64):
            for number in numbers:
                if number not in SIGNALS:
                    continue
                if not self.asked:
                    first = time.monotonic()
                    self.ask()
                elif time.monotonic() - first > _SAME:
                    leave_at_once()
        os.close(pipe)


def _noted(number: int, frame: FrameType | None) -> None:
    """In place of KeyboardInterrupt, which could break anything anywhere."""


def leave_at_once() -> None:
    """Ends this process and everything it has started."""
    for pid in descendants(os.getpid()):  # Ray's own first: they would start new workers
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    os._exit(CODE)


def descendants(pid: int) -> list[int]:
    """Ids of all processes below `pid`, parents before their children."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended since
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found, at = [pid], 0
    while at < len(found):
        found += children.get(found[at], [])
        at += 1
    return found[1:]
