"""Score depth and trajectories by published protocols (``python -m training.evaluate --help``)."""

from training.evaluate.baselines import pixel_prior
from training.evaluate.depth import evaluate
from training.evaluate.examples import Depth, Example, read_examples
from training.evaluate.scoring import Protocol

__all__ = ["Depth", "Example", "Protocol", "evaluate", "pixel_prior", "read_examples"]
