"""What the daemon offers, whoever asks: answers from models, and care of the models. Knows no HTTP."""
