"""The places of the terminal, one module and one style sheet each."""
