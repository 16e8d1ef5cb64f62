"""What corpora of speech have in common."""

from __future__ import annotations

from raymtl.tasks import OneOf

SEX = OneOf("sex", ("female", "male"))  # one task, so that corpora share its head
