"""The operators of a transformer, one to a file: TensorIR beside its NumPy reference."""
