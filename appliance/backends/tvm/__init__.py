"""Our own kernels behind the seam: decoders of the Llama family, compiled by TVM for the processor at hand."""
