"""Image to depth: networks of day and night, what of their depth is valid, clouds and colours."""
