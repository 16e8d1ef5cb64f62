"""Everyday sounds that several miniature corpora have in common.

The same name is the same synthetic sound in each of them, as a cough is a cough in any corpus.
"""

from __future__ import annotations

from raymtl.reading.synthesis import Sound, sound

EVERYDAY = (
    "applause",
    "cough",
    "knock",
    "laughter",
    "typing",
    "dog",
    "rain",
    "clock tick",
    "rooster",
    "chainsaw",
    "crying",
    "helicopter",
    "flute",
    "cello",
    "hi-hat",
    "bell",
)


def everyday(name: str) -> Sound:
    """The sound of that name, one of `EVERYDAY`."""
    return sound(EVERYDAY.index(name), len(EVERYDAY))
