"""Cameras, lenses, rigid motions, and where points land in images."""
