"""How well an obvious classifier does on a clip table: 20 MFCCs and a logistic regression."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import numpy.typing as npt
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from raymtl.reading.clips import ClipTable


@cache
def summary(path: Path, start: float | None = None, end: float | None = None) -> npt.NDArray:
    """20 MFCCs of a clip, mono, as `described` sums them up, (100,)."""
    rate = soundfile.info(path).samplerate
    stop = None if end is None else round(end * rate)
    wave, rate = soundfile.read(path, start=round((start or 0) * rate), stop=stop,
                                dtype="float32", always_2d=True)  # fmt: skip
    wave = librosa.resample(wave.mean(axis=1), orig_sr=rate, target_sr=8_000,
                            res_type="polyphase")  # fmt: skip
    mfcc = librosa.feature.mfcc(y=wave, sr=8_000, n_mfcc=20, n_fft=256, hop_length=128, n_mels=40)
    return described(mfcc)


def described(mfcc: npt.NDArray) -> npt.NDArray:
    """Mean, deviation and three time slices of (coefficients, frames), one after the other."""
    slices = [part.mean(axis=1) for part in np.array_split(mfcc, 3, axis=1)]
    return np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1), *slices])


def recall(table: ClipTable, task: str, group: str | None, folds: int = 4) -> tuple[float, float]:
    """Mean recall over classes of a task, and chance.

    Groups of kind `group` (single clips when None) are held out in turn; clips without one are
    groups of their own, clips without the target are left out.
    """
    rows = [
        (summary(path, row["start"], row["end"]), row["target:" + task], _group(row, group))
        for path, row in zip(table.paths(), table.table.to_pylist(), strict=True)
        if row["target:" + task] is not None
    ]
    features, truth, groups = map(np.array, zip(*rows, strict=True))
    guessed = np.empty_like(truth)
    cut = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    for train, test in cut.split(features, truth, groups):
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
        guessed[test] = model.fit(features[train], truth[train]).predict(features[test])
    return float(balanced_accuracy_score(truth, guessed)), 1 / len(set(truth.tolist()))


def _group(row: dict[str, Any], kind: str | None) -> str:
    return next((name for name in row["groups"] if name.startswith(f"{kind}:")), row["id"])
