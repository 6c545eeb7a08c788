"""Durable work: jobs that are kept on disk, run one after the other in processes of their own, and outlive a crash."""
