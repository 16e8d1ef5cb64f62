"""What the user sees while a sweep works: a live display in a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_LINE_EVERY = 5.0  # seconds between plain lines
_SHOWN = 5  # runs whose scores stay in view


class Progress:
    """Counts of one sweep and their display; a context manager.

    In a terminal they are redrawn twice a second; elsewhere a line is printed now and then.
    `doing` is asked what the lanes are at.
    """

    def __init__(self, console: Console, plain: bool, doing: Callable[[], Sequence[str]]) -> None:
        self._console = console
        self._doing = doing
        self._lock = threading.Lock()
        self._told = 0.0
        self._note = ""
        self._audio, self._clips = _Rate(0.0), False
        self._runs = _Rate(0.0)
        self._failed = 0
        self._latest: deque[str] = deque(maxlen=_SHOWN)
        self._live = (
            Live(console=console, refresh_per_second=2, transient=True, get_renderable=self._draw)
            if console.is_terminal and not plain
            else None
        )

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *raised: object) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        """A thing that happens once."""
        self._note = text
        if self._live:
            self._live.console.print(text, markup=False, highlight=False)
        else:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def extraction(self, amount: float, clips: bool = False) -> None:
        """Extraction of so many seconds of audio, or else of so many clips, begins."""
        self._audio, self._clips = _Rate(amount), clips

    def extracted(self, amount: float) -> None:
        """So much more is done."""
        self._audio.add(amount)
        self._tell(self._audio_line)

    def training(self, runs: int) -> None:
        """So many runs are to be trained."""
        self._runs = _Rate(runs)

    def ended(self, run: str, status: str, words: str) -> None:
        """A run has ended; `words` are its scores, or why it failed."""
        with self._lock:
            self._runs.add(1)
            self._failed += status != "done"
            self._latest.append(f"{status}: {words} | {run}" if words else f"{status}: {run}")
        if status != "done":
            self.say(self._latest[-1])
        self._tell(self._runs_line)

    def _tell(self, line: Callable[[], str]) -> None:
        now = time.monotonic()
        if self._live is None and (now - self._told >= _LINE_EVERY or self._over):
            self._told = now
            self._console.print(line(), markup=False, highlight=False, soft_wrap=True)

    @property
    def _over(self) -> bool:
        return self._runs.total > 0 and self._runs.done >= self._runs.total

    def _audio_line(self) -> str:
        rate = self._audio
        if self._clips:
            return (
                f"extraction: {rate.done:.0f} of {rate.total:.0f} clips, "
                f"{rate.speed:.0f} of them a second, {_left(rate.left)}"
            )
        return (
            f"extraction: {_hours(rate.done)} of {_hours(rate.total)} of audio, "
            f"{rate.speed:.0f} s of it a second, {_left(rate.left)}"
        )

    def _runs_line(self) -> str:
        latest = f"; last: {self._latest[-1]}" if self._latest else ""
        return f"{self._counts()}{latest}"

    def _counts(self) -> str:
        runs = self._runs
        busy = len([line for line in self._doing() if line])
        done = int(runs.done) - self._failed
        return (
            f"runs: {done} done, {busy} running, {self._failed} failed of {int(runs.total)}, "
            f"{_left(runs.left)}"
        )

    def _draw(self) -> Group:
        with self._lock:
            parts: list[Text | Table] = []
            if self._audio.total and not self._audio.over:
                parts.append(_bar(self._audio, self._audio_line()))
            if self._runs.total:
                parts.append(_bar(self._runs, self._counts()))
                parts += [
                    Text(f"  {line}", "dim", overflow="ellipsis", no_wrap=True)
                    for line in (*self._latest, *self._doing())
                ]
            elif self._audio.over:
                parts.append(Text(self._note))
            return Group(*parts)


class _Rate:
    """So much of so much, and how fast."""

    def __init__(self, total: float) -> None:
        self.total = total
        self.done = 0.0
        self._began = time.monotonic()

    def add(self, amount: float) -> None:
        self.done += amount

    @property
    def over(self) -> bool:
        return self.done >= self.total - 1e-6

    @property
    def speed(self) -> float:
        return self.done / max(time.monotonic() - self._began, 1e-3)

    @property
    def left(self) -> float | None:
        """Seconds to go at the speed so far; None while nothing is known."""
        return (self.total - self.done) / self.speed if self.done else None


def _bar(rate: _Rate, words: str) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_row(ProgressBar(max(rate.total, 1e-9), rate.done, width=20), Text(words))
    return table


def _hours(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _left(seconds: float | None) -> str:
    return "time left unknown" if seconds is None else f"{_hours(seconds)} left"
