"""The pipe between the daemon and a worker: frames, the socket, the process, and when to start it again."""
