"""`LSTMLanguageModel`: `corpus` makes sequences of texts, `likelihood` scores them, `writing` draws tokens."""

from .estimator import LSTMLanguageModel

__all__ = ["LSTMLanguageModel"]
