"""The terminal user interface. Speaks HTTP only. Filled by its own issue."""
