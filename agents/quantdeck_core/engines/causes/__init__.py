"""What engines say when they fail, the most specific first.

Each message was read where the comment beside it says: V is vllm/ of vLLM 0.32.0, L the llama.cpp of 1 October 2026,
vi/N and li/N are issue N of vllm-project/vllm and ggml-org/llama.cpp. RAN: this engine printed it when it was made to
fail so.
"""

from quantdeck_core.engines.causes import aftermath, gpu, links, machine, memory, model, start
from quantdeck_core.engines.causes.cause import Cause

SPECIFIC: tuple[Cause, ...] = (
    *links.RAY,
    *memory.CAUSES,
    *links.NCCL,
    *machine.SHARED_MEMORY,
    *gpu.CAUSES,
    *start.CAUSES,
    *model.CAUSES,
    *machine.CAUSES,
)
"""They name what was wrong. Within one start the first that is found counts, wherever it stands."""
AFTERMATH: tuple[Cause, ...] = aftermath.CAUSES
"""They say that something broke, and not why: they count where nothing else is found."""
