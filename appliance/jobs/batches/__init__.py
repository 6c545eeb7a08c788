"""Batches: many requests in a file, worked off in a child process that asks the daemon like any client."""
