"""Bag files: reading their forms, replaying and recording them."""
