"""What clients send, sent again to a running box, and what is to be thought of the answers."""
