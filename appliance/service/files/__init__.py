"""Files of callers: sent for batches, made by them, kept by owner until they are deleted or expire."""
