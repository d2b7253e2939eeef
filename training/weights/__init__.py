"""Checkpoints in and out: public ones imported, runs exported, int8."""
