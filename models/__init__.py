"""Models on disk: formats, manifests, the store and the embedded model. A leaf: plain values in, progress out."""
