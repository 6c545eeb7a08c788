"""Running the daemon as a service: logs, metrics, keys, readiness, signals. Knows no HTTP."""
