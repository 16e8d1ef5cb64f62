"""From a study to the work still to do, before any of it is done."""

from raymtl.plan.sources import BAD_FILES, Corpora, Prepared, prepare, unreadable
from raymtl.plan.work import FeatureJob, Plan, chosen, make_plan

__all__ = [
    "BAD_FILES",
    "Corpora",
    "FeatureJob",
    "Plan",
    "Prepared",
    "chosen",
    "make_plan",
    "prepare",
    "unreadable",
]
