"""The terminal's own colours, dark and light; those of Textual can be chosen beside them.

A colour has one meaning: primary is where you are, success is at work, warning waits or wants attention, error failed.
"""

from textual.theme import Theme

DARK = Theme(
    name="appliance-dark",
    primary="#5fb3c8",
    secondary="#8da4c8",
    accent="#d9a75f",
    success="#86b97b",
    warning="#d9a75f",
    error="#dd7373",
    foreground="#d5dbe3",
    background="#11151a",
    surface="#161b22",
    panel="#1f262f",
    dark=True,
    variables={"footer-key-foreground": "#5fb3c8", "border": "#2c3641", "border-blurred": "#2c3641"},
)
LIGHT = Theme(
    name="appliance-light",
    primary="#1f7a90",
    secondary="#4a6694",
    accent="#9a6412",
    success="#3f7d33",
    warning="#9a6412",
    error="#b83b3b",
    foreground="#232a31",
    background="#fbfbf9",
    surface="#f3f4f2",
    panel="#e6e9ea",
    dark=False,
    variables={"footer-key-foreground": "#1f7a90", "border": "#c9d0d4", "border-blurred": "#c9d0d4"},
)
THEMES = (DARK, LIGHT)
