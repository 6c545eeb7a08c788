"""What the API's wire formats mean: wire structs to core requests, core events to wire bytes. Pure: no I/O."""
