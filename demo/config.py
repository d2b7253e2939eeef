"""What the demo drives through, and where it puts things."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from training.synth.config import DatasetConfig

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class DemoConfig:
    """One demonstration.

    Attributes:
        out: folder of everything it writes.
        frames: length of the drive; 10 make a second.
        seed: of the street; none that training uses.
        rate: speed of the replay, 1 is real time.
        near_m: nearest true depth that is scored, metres.
        max_m: farthest, metres; also the far end of the colours.
        window_s: how long darkness must last before the node changes its network. Shorter than the
            node's default because the whole evening takes 12 s here.
        day_weights: checkpoint for the day, "" for the one that ships.
        night_weights: likewise for the night.
    """

    out: Path = FOLDER
    frames: int = 120
    seed: int = 5348
    rate: float = 1.0
    near_m: float = 1e-3
    max_m: float = 80.0
    window_s: float = 1.0
    day_weights: str = ""
    night_weights: str = ""

    @property
    def dataset(self) -> DatasetConfig:
        """The drive to render."""
        return DatasetConfig("dusk", 1, self.frames, 640, 192, self.seed)

    @property
    def drive(self) -> Path:
        """Folder of the rendered drive."""
        return self.out / "drive"

    @property
    def sequence(self) -> Path:
        """Its only sequence."""
        return self.drive / "sequences" / "00"

    @property
    def bag(self) -> Path:
        """The drive as a bag."""
        return self.out / "bag"

    @property
    def result(self) -> Path:
        """The bag that holds what the nodes said."""
        return self.out / "result"

    @property
    def logs(self) -> Path:
        """What the nodes printed."""
        return self.out / "logs"


def shown(path: Path) -> str:
    """Return a path as a reader here would type it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
