"""Networks: a shared trunk and one head a task."""

from raymtl.models.cnn import SharedCnn
from raymtl.models.dnn import SharedDnn
from raymtl.models.model import InputShape, Model

__all__ = ["InputShape", "Model", "SharedCnn", "SharedDnn"]
