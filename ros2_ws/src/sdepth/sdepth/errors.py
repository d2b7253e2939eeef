"""Errors a caller can fix: each says what, got, expected, and the way out."""


class SdepthError(Exception):
    """Base of every error this project raises on bad input."""


class ShapeError(SdepthError, ValueError):
    """An array has another shape than the function takes."""


class CameraError(SdepthError, ValueError):
    """Intrinsics or calibration that cannot be those of a camera."""


class ConfigError(SdepthError, ValueError):
    """A configuration names an unknown key or holds a bad value."""


class CheckpointError(SdepthError, ValueError):
    """A checkpoint is missing, damaged or of another kind than expected."""


class DataError(SdepthError, ValueError):
    """A file or folder of a dataset or bag is missing, damaged or inconsistent."""


class ImageError(SdepthError, ValueError):
    """An image cannot be decoded: truncated, or of an unknown encoding."""


class EngineError(SdepthError, RuntimeError):
    """An inference library cannot run the network, or answers wrongly."""
