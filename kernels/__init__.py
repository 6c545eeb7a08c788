"""Compiled kernels. A leaf: imports nothing of the appliance. Filled by the TVM backend."""
