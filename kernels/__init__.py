"""Kernels for decoders, compiled by TVM for the processor at hand. A leaf: imports nothing of the appliance."""
