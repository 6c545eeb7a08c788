"""What can run a model. Nothing above this folder knows which backend runs; `base` is the seam between them."""
