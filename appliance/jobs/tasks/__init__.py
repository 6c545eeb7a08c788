"""Tasks: questions that are on the disk once they are accepted, answered in their turn, and kept for a while."""
