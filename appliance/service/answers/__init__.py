"""Answers that cost nothing: computations that several callers share, and answers that are kept."""
