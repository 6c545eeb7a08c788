"""What was computed once and lies on disk for the next time. Checksummed, fingerprinted, never pickle."""
