"""Anthropic's Messages, as Claude Code and the `anthropic` libraries speak it."""
