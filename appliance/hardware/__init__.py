"""Read-only probes of the machine. They run as any user, take their root as an argument and invent nothing."""
