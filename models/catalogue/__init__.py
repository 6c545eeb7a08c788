"""What could be installed: the catalogue and its signatures, licences, and names that imitate others."""
