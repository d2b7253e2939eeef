"""Tests of the bags."""
