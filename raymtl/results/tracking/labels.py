"""What TensorBoard shows of labels and hyper-parameters, as its plugins want it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import summary_v2
from tensorboard.plugins.hparams.api_pb2 import STATUS_SUCCESS
from tensorboard.plugins.hparams.metadata import SESSION_END_INFO_TAG
from tensorboard.plugins.hparams.metadata import create_summary_metadata as hparams_metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo
from tensorboard.plugins.pr_curve.metadata import create_summary_metadata as curve_metadata
from tensorboard.util.tensor_util import make_tensor_proto

if TYPE_CHECKING:
    from raymtl.training.outcome import Outcome, Predictions

THRESHOLDS = 51
_METRICS = ("f1", "ap", "recall")  # of labels, shown as scalars
_MOST = 64  # labels of a task that get a curve


def label_values(outcome: Outcome) -> Iterator[Summary.Value]:
    """Scores of each label on the test part, and its curve of precision over recall."""
    for (source, task, part), scores in sorted(outcome.scores.items(), key=lambda item: item[0]):
        if part != "test":
            continue
        for label, values in scores.per_label.items():
            for name in _METRICS:
                if math.isfinite(values.get(name, math.nan)):
                    tag = f"labels/{source}/{task}/{name}/{label}"
                    yield Summary.Value(tag=tag, simple_value=values[name])
        said = outcome.predictions.get((source, task))
        if said is not None and 0 < len(scores.per_label) <= _MOST:  # numbers have no labels
            for label, truth, score in _columns(said, list(scores.per_label)):
                yield _curve(f"curves/{source}/{task}/{label}", precision_recall(truth, score))


def precision_recall(
    truth: npt.NDArray[np.bool_], score: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.float32]:
    """(6, `THRESHOLDS`): true and false positives, true and false negatives, precision, recall,
    of deciding for a label from each threshold between 0 and 1 on."""
    limits = np.linspace(0, 1, THRESHOLDS)
    order = np.sort(score[truth]), np.sort(score[~truth])
    hits, alarms = (len(o) - np.searchsorted(o, limits, side="left") for o in order)
    positives, negatives = len(order[0]), len(order[1])
    precision = hits / np.maximum(hits + alarms, 1)
    recall = hits / max(positives, 1)
    rows = [hits, alarms, negatives - alarms, positives - hits, precision, recall]
    return np.stack(rows).astype(np.float32)


def hparam_summaries(hparams: Mapping[str, str | float]) -> Iterator[Summary]:
    """The two events that make a run a row of the table of hyper-parameters."""
    begun = Summary()
    begun.ParseFromString(summary_v2.hparams_pb(dict(hparams)).SerializeToString())
    yield begun
    ended = HParamsPluginData(
        session_end_info=SessionEndInfo(status=STATUS_SUCCESS, end_time_secs=time.time())
    )
    yield Summary(value=[Summary.Value(tag=SESSION_END_INFO_TAG, metadata=hparams_metadata(ended))])


def _columns(
    said: Predictions, labels: list[str]
) -> Iterator[tuple[str, npt.NDArray[np.bool_], npt.NDArray[np.float32]]]:
    """Each label with what is true and what was said of it, where it is known."""
    values, valid, scores = said.targets.values, said.targets.valid, said.scores
    if values.ndim == 1:  # one of many: a code a clip
        columns = [(values == at, valid, scores[:, at]) for at in range(len(labels))]
    elif scores.shape[1] == len(labels):  # any of many: a flag a label
        columns = [(values[:, at] > 0.5, valid[:, at], scores[:, at]) for at in range(len(labels))]
    else:  # yes or no: the score is that of the last label
        columns = [(values[:, 0] > 0.5, valid[:, 0], scores[:, 0])]
        labels = labels[-1:]
    for label, (truth, known, score) in zip(labels, columns, strict=True):
        if known.any():
            yield label, np.asarray(truth[known], np.bool_), score[known]


def _curve(tag: str, rows: npt.NDArray[np.float32]) -> Summary.Value:
    name = tag.partition("/")[2]
    metadata = curve_metadata(display_name=name, description="", num_thresholds=THRESHOLDS)
    return Summary.Value(tag=tag, metadata=metadata, tensor=make_tensor_proto(rows))
