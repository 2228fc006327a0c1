"""The gateway and the engines of its own tests."""

from gateway.conftest import engines, experiment, free_port, gateway

__all__ = ["engines", "experiment", "free_port", "gateway"]
