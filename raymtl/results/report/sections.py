"""One part of the page at a time: a part that cannot be made says so and spoils no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import pyarrow as pa

from raymtl.errors import RaymtlError
from raymtl.results.report.panels import Row

T = TypeVar("T")
MOST_LISTED = 200  # failures, missing runs, skipped clips and the like
_DAMAGE = (RaymtlError, LookupError, TypeError, ValueError, AttributeError, pa.ArrowException)


def attempted(what: str, make: Callable[..., T], *given: Any) -> tuple[T | None, str]:
    """What `make` gives, or None and a sentence on why not, for records may be of any age."""
    try:
        return make(*given), ""
    except _DAMAGE as error:
        reason = f"{type(error).__name__}: {error}".split("\n")[0]
        return None, f"{what} cannot be shown: the records do not allow it ({reason})."


def bounded(values: Iterable[Any]) -> Row:
    """The first values, and how many more there are."""
    listed = list(values)
    return {"rows": listed[:MOST_LISTED], "more": max(0, len(listed) - MOST_LISTED)}
