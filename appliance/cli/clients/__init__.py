"""Programs that use the box: what each one reads, how its configuration is written, what it sends. Data, mostly."""
