"""The only network definitions."""
