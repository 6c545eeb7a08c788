"""Pure readers and writers of model file formats."""
