"""The agent's HTTP/JSON interface on Unix sockets, and the SSH door for hosts without sshd."""
