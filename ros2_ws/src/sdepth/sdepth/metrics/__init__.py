"""How wrong depth and paths are, by the field's definitions."""
