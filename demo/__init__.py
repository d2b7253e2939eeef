"""A drive from day into night through the real nodes, scored and shown."""
