"""Where clips lie in their recordings."""

from __future__ import annotations

LATE = 0.1  # seconds that a clip may end after its recording does


def beyond(start: float | None, end: float | None, seconds: float) -> str:
    """Why a clip that is not within its recording is refused."""
    return (
        f"the clip lasts from {start or 0:g} to {seconds if end is None else end:g} s, "
        f"but the file is {seconds:g} s long. Correct the metadata."
    )


def misplaced(start: float | None, end: float | None, seconds: float) -> str | None:
    """Why a clip of a recording of that length cannot be used; None where it can."""
    if start is end is None:
        return None
    late = (start or 0) >= seconds or (end or 0) - seconds > LATE
    return beyond(start, end, seconds) if late else None
