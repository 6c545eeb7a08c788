"""Notifications: whoever waits for a task, a batch or a job is told of its end, sooner or later, at least once."""
