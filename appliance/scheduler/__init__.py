"""Many models, many callers: who is answered when, and which models are in memory."""
