"""How many seconds of sound a shared network hears in a second, on one core.

Decoding, resampling, extraction, stages and network; the weights are random, which costs the same.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.bench_predict
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
import torch

from raymtl.deploy import Predictor
from raymtl.deploy.recipe import Front, Recipe
from raymtl.extraction.audio import Signal
from raymtl.extraction.features import LogMel
from raymtl.loading.fitted import Affine, Cut, FittedStages
from raymtl.models.cnn import SharedCnn
from raymtl.models.dnn import SharedDnn
from raymtl.models.model import InputShape, Model
from raymtl.tasks import OneOf

BANDS, SECONDS, REPEATS = 64, 1.0, 5
TASKS = (OneOf("emotion", tuple("abcdefgh")), OneOf("speaker", tuple(map(str, range(24)))))


def network(model: Model) -> Predictor:
    """Two heads behind log-mel features of 1 s at 16 kHz."""
    frames = round(100 * SECONDS)
    stages = FittedStages((Affine(np.zeros((1, 1, BANDS)), np.ones((1, 1, BANDS))), Cut(frames, 0)))
    front = Front(Signal(rate=16_000), 16_000, SECONDS, stages, ("emotion", "speaker"))
    shape = InputShape(1, frames, BANDS)
    recipe = Recipe("bench", "", LogMel(bands=BANDS), model, shape, TASKS, {"source": front})
    return Predictor(recipe, model.build(shape, TASKS, 0).state_dict(), {}, 1)


def times_real(call: Callable[[], object], seconds: float) -> float:
    """By CPU time, best of some calls: the machine may be busy with other things."""
    call()
    taken = []
    for _ in range(REPEATS):
        began = time.process_time()
        call()
        taken.append(time.process_time() - began)
    return seconds / min(taken)


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    models = {"CNN 4 x 64": SharedCnn(width=64, depth=4), "DNN 4 x 512": SharedDnn(512, 4)}
    with TemporaryDirectory() as folder:
        long, clip = Path(folder) / "long.wav", Path(folder) / "clip.wav"
        soundfile.write(long, rng.normal(0, 0.1, 120 * 16_000), 16_000)
        soundfile.write(clip, rng.normal(0, 0.1, (48_000, 2)), 48_000)
        wave = rng.normal(0, 0.1, 16_000).astype(np.float32)
        for name, model in models.items():
            predictor = network(model)
            whole, alone = predictor.predict_file, predictor.predict
            cases: dict[str, tuple[Callable[[], object], float]] = {
                "120 s, windows of 1 s": (partial(whole, long, window=1.0, hop=1.0), 120.0),
                "120 s, those every 0.5 s": (partial(whole, long, window=1.0, hop=0.5), 120.0),
                "a file of 1 s, 48 kHz stereo": (partial(whole, clip), 1.0),
                "a waveform of 1 s": (partial(alone, wave, 16_000), 1.0),
            }
            for case, (call, seconds) in cases.items():
                print(f"{name}: {case}: {times_real(call, seconds):.0f} x real time")


if __name__ == "__main__":
    main()
