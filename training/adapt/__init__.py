"""Adapting the weights that ship to one's own drives, and their proof."""
