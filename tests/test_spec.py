"""Digests: stable, complete, and refused where there is no stable meaning."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymtl.extraction.audio import Segments, Signal
from raymtl.extraction.features import LogMel
from raymtl.loading.splits import KFold
from raymtl.loading.stages import FixedLength, MinMax, Standardise
from raymtl.models.cnn import SharedCnn
from raymtl.spec import Spec, canonical, describe, digest
from raymtl.tasks import OneOf
from raymtl.training.optimise import Adam
from raymtl.training.training import Training
from readers.fsdd import Fsdd
from tests.corpora import DIGITS, STUDY

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Probe(Spec):
    """Holds whatever a test puts in."""

    value: Any = 0


@pytest.mark.parametrize(
    ("spec", "pinned"),
    [
        (OneOf("colour", ("red", "green")), "d9c6d7940c229394"),
        (KFold(4), "11936c8160004af8"),
        (FixedLength(64), "596809e69921ae8b"),
    ],
)
def test_digests_are_what_they_were(spec: Spec, pinned: str) -> None:
    """A change here makes every store of every user stale: raise `version` knowingly instead."""
    assert digest(spec)[:16] == pinned


def different(value: Any) -> st.SearchStrategy[Any]:
    """Values of the same kind that are not `value`."""
    kinds: dict[type, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: st.integers(1, 10_000),
        float: st.floats(1e-6, 1e6),
        str: st.text("abcxyz", min_size=1, max_size=6),
        tuple: st.lists(st.integers(1, 9), max_size=3).map(tuple),
    }
    chosen = kinds.get(type(value), st.integers(1, 10_000).map(lambda n: n + 0.5))
    return chosen.filter(lambda other: other != value)


SPECS = [
    LogMel(),
    Adam(1e-3),
    Signal(),
    Segments(1.0),
    SharedCnn(),
    KFold(),
    Standardise(),
    OneOf("colour", ("red", "green")),
    Training(),
    Fsdd().source("digit"),
]


@given(st.data())
@settings(max_examples=150)
def test_every_field_matters(data: st.DataObject) -> None:
    spec = data.draw(st.sampled_from(SPECS))
    field = data.draw(st.sampled_from(fields(spec)))
    changed = _with(spec, field.name, data.draw(different(getattr(spec, field.name))))
    assert digest(changed) != digest(spec)
    assert digest(_with(changed, field.name, getattr(spec, field.name))) == digest(spec)


def _with(spec: Spec, name: str, value: Any) -> Spec:
    """A copy with one field changed, whatever the class thinks of the value."""
    copy = object.__new__(type(spec))
    for field in fields(spec):
        object.__setattr__(copy, field.name, getattr(spec, field.name))
    object.__setattr__(copy, name, value)
    return copy


def test_defaults_are_part_of_the_digest() -> None:
    assert digest(Adam()) == digest(Adam(rate=Adam().rate))
    assert "rate" in str(canonical(Adam()))


def test_a_raised_version_gives_a_new_digest() -> None:
    @dataclass(frozen=True)
    class Newer(Probe):
        version = 2

    older = digest(Newer(1))
    Newer.version = 3
    assert digest(Newer(1)) != older


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda parts: st.lists(parts, max_size=3).map(tuple),
        max_leaves=8,
    ),
    st.recursive(
        st.none() | st.integers() | st.text("01", max_size=2),
        lambda parts: st.lists(parts, max_size=3).map(tuple),
        max_leaves=8,
    ),
)
def test_different_plain_values_have_different_digests(one: Any, other: Any) -> None:
    assert (digest(Probe(one)) == digest(Probe(other))) == (_typed(one) == _typed(other))


def _typed(value: Any) -> Any:
    """Equal where value, type and nesting are: 1, 1.0 and True are three things."""
    if isinstance(value, tuple):
        return [_typed(part) for part in value]
    return type(value), value if not isinstance(value, float) else value.hex()


def test_texts_do_not_run_into_each_other() -> None:
    assert digest(("ab", "c")) != digest(("a", "bc"))
    assert digest(("a", ("b",))) != digest((("a",), "b"))


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        ([1, 2], TypeError, "unhashable"),
        ({"a": 1}, TypeError, "unhashable"),
        ({1, 2}, TypeError, "unhashable"),
        (frozenset((1, 2)), TypeError, "frozenset"),
        (math.nan, ValueError, "no stable digest"),
        (math.inf, ValueError, "no stable digest"),
        ((1.0, (-math.inf,)), ValueError, "no stable digest"),
        (Path("/data"), TypeError, "cannot be part of a spec"),
        (lambda wave: wave, TypeError, "cannot be part of a spec"),
        (len, TypeError, "cannot be part of a spec"),
        (b"bytes", TypeError, "cannot be part of a spec"),
        (np.float32(1.0), TypeError, "cannot be part of a spec"),
        (np.int64(1), TypeError, "cannot be part of a spec"),
        (object(), TypeError, "cannot be part of a spec"),
    ],
)
def test_what_has_no_stable_meaning_is_refused(
    value: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        digest(Probe(value))


def test_a_class_without_the_decorator_is_refused() -> None:
    """Its fields would be missing from the digest."""

    class Undecorated(Probe):
        more: int = 1

    with pytest.raises(TypeError, match=r"Undecorated must be decorated with @dataclass\(frozen"):
        digest(Undecorated())


def test_digests_do_not_depend_on_the_process(tmp_path: Path) -> None:
    """Another hash seed, another working directory, another order of imports."""
    study = tmp_path / "mine.py"
    study.write_text(
        STUDY + "\n\nfrom dataclasses import dataclass\n\n"
        "@dataclass(frozen=True)\nclass Own(LogMel):\n    more: int = 1\n\n"
        "own = Own(bands=3)\n"
    )
    code = (
        "import sys; from pathlib import Path; from raymtl.study import load_study;"
        "from raymtl.spec import digest; s = load_study(Path(sys.argv[1]));"
        "print(digest(s.experiment), digest(sys.modules['study_mine'].own))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code, str(study)],
            text=True,
            check=True,
            capture_output=True,
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        ).stdout
        for seed, folder in (("1", tmp_path), ("77", ROOT))
    }
    assert len(said) == 1
    experiment = replace(DIGITS, training=Training(epochs=2, optimiser=Adam(2e-3)))
    assert said.pop().split()[0] == digest(experiment)


OWN = '''
from dataclasses import dataclass
from raymtl.extraction.features import LogMel

@dataclass(frozen=True)
class Base(LogMel):
    def doubled(self):
        return 2

@dataclass(frozen=True)
class Mine(Base):
    """Twice as loud."""
    gain: float = 2.0

unrelated = 1
'''


def _own(folder: Path, text: str) -> str:
    """Digest of the class `Mine` of a module with this text, loaded anew."""
    from importlib.util import module_from_spec, spec_from_file_location

    folder.mkdir(exist_ok=True)
    (folder / "own_extraction.py").write_text(text)
    found = spec_from_file_location("own_extraction", folder / "own_extraction.py")
    assert found is not None
    assert found.loader is not None
    module = module_from_spec(found)
    sys.modules["own_extraction"] = module
    try:
        found.loader.exec_module(module)
        return digest(module.Mine())
    finally:
        del sys.modules["own_extraction"]


@pytest.mark.parametrize(
    ("edit", "same"),
    [
        (lambda text: text, True),
        (lambda text: text.replace("unrelated = 1", "unrelated = 2"), True),
        (lambda text: "# a comment above\n" + text, True),
        (lambda text: text.replace("2.0", "2.0\n    other: int = 1"), False),
        (lambda text: text.replace("Twice", "Thrice"), False),
        (lambda text: text.replace("return 2", "return 3"), False),
    ],
)
def test_the_text_of_a_users_class_is_its_identity(
    tmp_path: Path, edit: Callable[[str], str], same: bool
) -> None:
    first = _own(tmp_path / "a", OWN)
    assert (_own(tmp_path / "b", edit(OWN)) == first) is same


def test_describe_shows_what_differs_from_the_defaults() -> None:
    assert describe(LogMel()) == "LogMel()"
    assert describe(LogMel(bands=40)) == "LogMel(bands=40)"


def test_an_int_for_a_float_is_the_same_spec() -> None:
    """They compare equal, so caches keyed by equality must not tell them apart by digest."""
    assert MinMax(low=0) == MinMax(low=0.0)
    assert digest(MinMax(low=0)) == digest(MinMax(low=0.0))
    assert digest(MinMax(low=0)) != digest(MinMax(low=-1))


NETWORK = """
from dataclasses import dataclass
from raymtl.spec import Spec, digest

FACTOR = 2

def scaled(x):
    return x * FACTOR

class Body:
    def forward(self, x):
        return scaled(x)

@dataclass(frozen=True)
class Mine(Spec):
    def build(self):
        return Body()

print(digest(Mine()))
"""


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("x * FACTOR", "x + FACTOR", False),
        ("FACTOR = 2", "FACTOR = 3", False),
        ("return scaled(x)", "return scaled(-x)", False),
        ("print(", "unused = 1\nprint(", True),
    ],
)
def test_what_a_users_class_uses_is_part_of_it(
    tmp_path: Path, old: str, new: str, same: bool
) -> None:
    digests = []
    for text in (NETWORK, NETWORK.replace(old, new)):
        (tmp_path / "mine.py").write_text(text)
        done = subprocess.run(
            [sys.executable, "-c", "import mine"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        digests.append(done.stdout)
    assert (digests[0] == digests[1]) is same
