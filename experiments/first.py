"""Does a network that also learns who speaks recognise digits better, and the reverse?

Free Spoken Digit Dataset, its official test part (takes 0 to 4).
"""

from raymtl.experiment import Experiment, combinations
from raymtl.extraction.audio import Signal
from raymtl.extraction.features import LogMel
from raymtl.loading.batches import Mixed
from raymtl.loading.splits import Official
from raymtl.loading.stages import FixedLength, Standardise
from raymtl.models.cnn import SharedCnn
from raymtl.training.optimise import Adam, OneCycle
from raymtl.training.training import Training
from readers.fsdd import Fsdd

experiment = Experiment(
    name="first",
    sources=[Fsdd().source("digit"), Fsdd().source("speaker")],
    combinations=combinations(1, "all"),
    signal=Signal(rate=8_000),
    extractions=[LogMel(bands=40, window=0.032, hop=0.016)],
    stages=[Standardise("feature"), FixedLength(40)],
    models=[SharedCnn(width=(16, 24, 32, 48), depth=4, kernel=3)],
    folds=Official(),
    training=Training(epochs=15, batches=Mixed(32), optimiser=Adam(4e-3), schedule=OneCycle()),
)
