"""Ollama's API as its clients speak it: chat, generate, embeddings and the care of models.

Sources: Ollama, docs/api.md, docs/modelfile.mdx and docs.ollama.com/openapi.yaml; the types of its `ollama` package.
"""
