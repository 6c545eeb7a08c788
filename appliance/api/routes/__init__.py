"""The routes by subject. Each reads a request, calls one thing below, and writes its answer."""
