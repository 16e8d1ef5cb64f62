"""How well are digits recognised when a new speaker says them?

Free Spoken Digit Dataset, each of its six speakers held out in turn.
"""

from raymtl.experiment import Experiment, combinations
from raymtl.extraction.audio import Signal
from raymtl.extraction.features import LogMel
from raymtl.loading.batches import Mixed
from raymtl.loading.splits import KFold, Validation
from raymtl.loading.stages import FixedLength, Standardise
from raymtl.models.cnn import SharedCnn
from raymtl.training.optimise import Adam, OneCycle
from raymtl.training.training import Training
from readers.fsdd import Fsdd

experiment = Experiment(
    name="new_speaker",
    sources=[Fsdd().source("digit")],
    combinations=combinations(1),
    signal=Signal(rate=8_000),
    extractions=[LogMel(bands=40, window=0.032, hop=0.016)],
    stages=[Standardise("feature"), FixedLength(40)],
    models=[SharedCnn(width=(16, 24, 32, 48), depth=4, kernel=3)],
    folds=KFold(6),
    validation=Validation(0),  # five speakers are few: all of them train, and the last epoch counts
    training=Training(
        epochs=15, batches=Mixed(32), optimiser=Adam(4e-3), schedule=OneCycle(), select="last"
    ),
)
