"""Statistics of a corpus: counted in `counts`, listened to in `listening`, shown by `page`."""

from raymtl.reading.audit.counts import Facts, GroupCounts, Stats, TaskCounts, stats
from raymtl.reading.audit.listening import Heard, listen
from raymtl.reading.audit.page import render

__all__ = ["Facts", "GroupCounts", "Heard", "Stats", "TaskCounts", "listen", "render", "stats"]
