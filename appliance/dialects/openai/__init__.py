"""The OpenAI API as clients speak it: chat completions, completions, models and the error envelope."""
