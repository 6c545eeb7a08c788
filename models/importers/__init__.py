"""Models that other programs keep on this machine: found where they lie, read only, never touched."""
