"""Responses and conversations: written, kept for their callers, told again, continued and forgotten."""
