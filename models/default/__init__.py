"""The embedded model: its file, and the text and the scripts that it was trained with."""
