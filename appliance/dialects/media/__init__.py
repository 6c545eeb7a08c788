"""Pictures and recordings in requests: what their bytes are, where they stand in a text, and how they are sent."""
