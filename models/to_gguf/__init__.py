"""From a folder as Hugging Face keeps models to a GGUF file: pure readers of its files, and one writer."""
