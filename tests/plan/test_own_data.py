"""Plans on tables of one's own whose metadata is at odds with the recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from raymtl.errors import DecodingError
from raymtl.extraction.audio import Segments, Signal
from raymtl.loading.splits import Official
from raymtl.tasks import OneOf
from readers.own import Csv
from tests.corpora import DIGITS, plan_of

BIRD = OneOf("bird", ("robin", "wren"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """20 recordings of one second, by five people; who made 12-15 is in training and test."""
    root = tmp_path / "data" / "field"
    root.mkdir(parents=True)
    lines = ["file,bird,part,who,end"]
    for at in range(20):
        noise = np.random.default_rng(at).standard_normal(8_000) / 10
        soundfile.write(root / f"{at}.wav", noise, 8_000)
        part = "test" if at >= 14 else "validation" if at < 4 else "train"
        lines.append(f"{at}.wav,{BIRD.labels[at % 2]},{part},p{at // 4},{9 if at == 7 else 1}")
    (root / "clips.csv").write_text("\n".join(lines))
    return tmp_path / "data"


def csv(*columns: str, **more: str) -> Csv:
    return Csv("field", table="clips.csv", audio="file", targets=(BIRD, *columns),
               groups=("who",), split="part", **more)  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize("segments", [None, Segments(0.5)])
def test_a_clip_that_ends_after_its_recording(
    data: Path, tmp_path: Path, segments: Segments | None
) -> None:
    """Also where it would be cut into segments: what is wrong with it is not mended in silence."""
    study = {"sources": [csv(end="end").source("bird")], "folds": Official(),
             "signal": Signal(8_000, segments=segments)}  # fmt: skip
    with pytest.raises(DecodingError, match=r"7\.wav: .*from 0 to 9 s, but the file is 1 s long"):
        plan_of(DIGITS, data, tmp_path / "store", **study)
    plan = plan_of(DIGITS, data, tmp_path / "store", bad_files="skip", **study)
    assert [s.path.rpartition("/")[2] for s in plan.corpora.skipped] == ["7.wav"]
    assert not [i for i in plan.tables["field.bird"].ids if "/7@" in i]


def test_groups_that_many_sources_share_are_said_once(data: Path, tmp_path: Path) -> None:
    sources = [csv().source("bird", label=label) for label in "abc"]
    plan = plan_of(DIGITS, data, tmp_path / "store", sources=sources, folds=Official())
    said = [note for note in plan.notes if "official" in note]
    assert said == [
        "official splits put 1 who group on both sides: trained in a, tested in a "
        "(and 8 more pairs of sources)"
    ]
