"""llama.cpp behind the seam: the only folder that imports the library, and only in a worker."""
