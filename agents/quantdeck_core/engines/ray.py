"""The commands that make several hosts one Ray cluster: `ray start` on each of them.

Written for Ray 2.52 and later, the first with token authentication. Ports are fixed, so that a firewall can be written;
what is left of a host's block is for Ray's workers.
"""

from __future__ import annotations

from pathlib import PurePath

from quantdeck_core.profile.nodes import BLOCK, Member, Placement

OLDEST_RAY = "2.52.0"
HEAD_PORT, NODE_PORT, OBJECTS_PORT, AGENT_GRPC_PORT, AGENT_HTTP_PORT, RUNTIME_ENV_PORT, METRICS_PORT = range(7)
CLIENT_PORT, AUTOSCALER_PORT = 7, 8
"""Ports within a host's block. The head's is where the others join; a node's own answers once the node is up."""
OWN_PORTS = range(AUTOSCALER_PORT + 1)
WORKER_PORTS = range(10, BLOCK)
SCRATCH_LIMIT = 40
"""Characters: Ray puts Unix sockets below its folder, and a socket's whole path has room for 107."""
DROPS = ("RAY_*", "AUTOSCALER_METRIC_PORT")

_OBJECT_STORE_BYTES = 2**30
"""vLLM sends next to nothing through it; Ray's own default is 30 % of the host's RAM."""
_HEAD_GONE_S = 10
"""A node whose head is gone ends after so long, and is started again; Ray's own default is a minute."""
_LOG_BYTES, _LOGS = 2**24, 2


def start_head(ray: str, here: Member, gpus: int, scratch: str) -> tuple[str, ...]:
    """The first host's node, which the others join. What its workers write comes to the server's log, from all hosts.

    Args:
        gpus: of this host, for the cluster.
        scratch: folder for sockets and logs.
    """
    role = ("--head", "--port", str(here.port + HEAD_PORT), "--ray-client-server-port", str(here.port + CLIENT_PORT))
    return (ray, "start", *role, "--include-dashboard", "false", *_node(here, gpus, scratch))


def start_node(ray: str, head: Member, here: Member, gpus: int, scratch: str) -> tuple[str, ...]:
    """Another host's node; arguments as for `start_head`."""
    return (ray, "start", "--address", head.at(HEAD_PORT), *_node(here, gpus, scratch))


def _node(here: Member, gpus: int, scratch: str) -> tuple[str, ...]:
    ports = {
        "--node-manager-port": NODE_PORT,
        "--object-manager-port": OBJECTS_PORT,
        "--dashboard-agent-grpc-port": AGENT_GRPC_PORT,
        "--dashboard-agent-listen-port": AGENT_HTTP_PORT,
        "--runtime-env-agent-port": RUNTIME_ENV_PORT,
        "--metrics-export-port": METRICS_PORT,
        "--min-worker-port": WORKER_PORTS[0],
        "--max-worker-port": WORKER_PORTS[-1],
    }
    fixed = (word for flag, offset in ports.items() for word in (flag, str(here.port + offset)))
    return (
        "--block", "--node-ip-address", here.address, *fixed, "--num-gpus", str(gpus), "--num-cpus", "1",
        "--object-store-memory", str(_OBJECT_STORE_BYTES), "--temp-dir", scratch,
        "--include-log-monitor", "true", "--disable-usage-stats", "--log-style", "record", "--log-color", "false",
    )  # fmt: skip


def ray_env(placed: Placement, scratch: str) -> dict[str, str]:
    """Variables of a host's programs: both Ray and vLLM read them, and Ray's workers inherit them."""
    return {
        "VLLM_HOST_IP": placed.here.address,
        "RAY_ADDRESS": placed.head.at(HEAD_PORT),
        "RAY_TMPDIR": scratch,
        "RAY_AUTH_MODE": "token",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_gcs_rpc_server_reconnect_timeout_s": str(_HEAD_GONE_S),
        "RAY_COLOR_PREFIX": "0",
        "RAY_ROTATION_MAX_BYTES": str(_LOG_BYTES),
        "RAY_ROTATION_BACKUP_COUNT": str(_LOGS),
        "AUTOSCALER_METRIC_PORT": str(placed.here.port + AUTOSCALER_PORT),
    }


def awaited(placed: Placement) -> tuple[tuple[Member, int], ...]:
    """Whose ports must answer before this host's part can serve: the head's for a node, all nodes' for the server."""
    if placed.rank:
        return ((placed.head, placed.head.port + HEAD_PORT),)
    return tuple((member, member.port + NODE_PORT) for member in placed.members[1:])


def ray_beside(vllm: str) -> str:
    """The `ray` of vLLM's own environment."""
    return str(PurePath(vllm).with_name("ray"))
