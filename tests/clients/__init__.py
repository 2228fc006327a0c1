"""Clients and engines that others wrote, with the gateway between them: `make test-gateway`."""
