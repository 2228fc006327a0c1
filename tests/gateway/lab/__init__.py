"""Real processes and real sockets for the gateway's tests."""
