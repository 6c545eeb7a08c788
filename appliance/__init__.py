"""The LLM appliance: one daemon that turns a machine into a private AI server."""

__version__ = "0.1.0"
