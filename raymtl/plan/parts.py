"""The parts of a study: every split of its sources, and what is to be said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from raymtl.errors import StudyError
from raymtl.experiment import Cell, Experiment
from raymtl.loading.sampling import sample, strata_of
from raymtl.loading.splits import Split, SplitInput, split_sources
from raymtl.plan.sources import Corpora
from raymtl.wording import counted


def splits_of(experiment: Experiment, corpora: Corpora) -> list[Split]:
    """All splits of the study, with the training clips that its sources ask for.

    Raises:
        StudyError: when sources cannot be split so.
    """
    inputs = [
        SplitInput(
            name,
            prepared.table,
            prepared.source.chosen,
            experiment.folds_of(prepared.source),
            corpora.content(name),
        )
        for name, prepared in corpora.sources.items()
    ]
    splits = split_sources(inputs, experiment.validation, experiment.seed)
    return [_sampled(split, experiment, corpora) for split in splits]


def _sampled(split: Split, experiment: Experiment, corpora: Corpora) -> Split:
    """The split with fewer training clips for the sources that ask for it."""
    parts = dict(split.parts)
    for name, prepared in corpora.sources.items():
        amount, part = prepared.source.train, parts[name]
        if amount is not None:
            strata = strata_of(prepared.table, prepared.source.chosen)
            train = sample(part.train, amount, strata, experiment.seed, name)
            parts[name] = replace(part, train=train)
    return replace(split, parts=parts)


def refuse_unvalidated(
    experiment: Experiment, splits: Sequence[Split], cells: Sequence[Cell]
) -> None:
    """Refuses cells without clips to choose the epoch on, where the training asks for them.

    Raises:
        StudyError: naming source and split.
    """
    training, used = experiment.training, {name: None for cell in cells for name in cell.sources}
    for split in splits if training.validates else ():
        for name in used:
            part = split.parts[name]
            if part.train and not part.validation:
                raise StudyError(
                    f"source {name}: no validation clip in split {split.fold} (training "
                    f"{len(part.train)}, test {len(part.test)}), and the best epoch is chosen on "
                    "them. Set validation=Validation(0.15) or more, keep fewer kinds of groups "
                    "together (groups=), or take Training(select='last', patience=None)."
                )


def shared_groups(splits: Sequence[Split]) -> list[str]:
    """Groups on both sides of official splits: a line a kind, however many sources share it."""
    found: dict[str, tuple[set[str], set[tuple[str, str]]]] = {}
    for split in splits:
        for c in split.conflicts:
            groups, pairs = found.setdefault(c.group.split(":")[0], (set(), set()))
            groups.add(c.group)
            pairs.add((c.trained, c.tested))
    return [
        f"official splits put {counted(len(groups), f'{kind} group')} on both sides: trained in "
        f"{min(pairs)[0]}, tested in {min(pairs)[1]}"
        + (f" (and {counted(len(pairs) - 1, 'more pair')} of sources)" if len(pairs) > 1 else "")
        for kind, (groups, pairs) in sorted(found.items())
    ]
