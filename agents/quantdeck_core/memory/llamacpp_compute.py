"""llama.cpp's compute and output buffers: activations of one physical batch, and logits.

The graph's largest moments, read off llama.cpp's graphs (`src/llama-graph.cpp`, `src/models/*.cpp`, 1 October 2026)
and its allocator (`ggml/src/ggml-alloc.c`: best fit, so holes count), then fitted to 70 loads of llama, Qwen 2, Phi 3,
Gemma 2 and 3, Qwen 3 MoE, Mixtral and DeepSeek 2 shapes. How many buffers of which width are alive is the fit; the
widths and the masks are from the sources. Wrong by more than 2 % only where the feed-forward layer is narrower than the
hidden state (-13 % to +18 %), which no usual model is. docs/memory-loads.md has the errors of full-sized loads.
"""

from __future__ import annotations

from quantdeck_core.formats.checkpoint import ModelShape
from quantdeck_core.memory.llamacpp_kv import LlamacppContext

_FLOAT, _HALF = 4, 2
_HIDDEN_COPIES = 5
"""Of the hidden state, alive or as holes between what is alive, while the feed-forward layer works."""
_WIDE_COPIES = 3
"""Of the feed-forward layer: gate, up and their product."""


def compute_buffer_bytes(
    shape: ModelShape, context: LlamacppContext, *, flash_attention: bool = True, swa_full: bool = False
) -> int:
    """The compute buffer of one device; what the log calls so.

    Args:
        flash_attention: as llama.cpp resolves `--flash-attn auto`: on CPU always on. Without it the scores of all
            heads against the whole context are kept, which grows with the context.
    """
    tokens = _batch(context)
    mask = tokens * _cells_of_masks(shape, context, swa_full) * (_HALF if flash_attention else _FLOAT)
    scores = 0 if flash_attention else (shape.heads or 0) * context.cells
    attention = (_attention_width(shape, flash_attention) + scores) * tokens * _FLOAT
    logits = context.sequences * (shape.vocab_size or 0) * _FLOAT
    hidden = _HIDDEN_COPIES * (shape.hidden_size or 0) * tokens * _FLOAT
    return mask + max(attention, hidden + max(_feed_forward_width(shape) * tokens * _FLOAT, logits))


def output_buffer_bytes(shape: ModelShape, context: LlamacppContext) -> int:
    """Logits of one token of every slot (`llama_context::output_reserve`; the server asks for no more)."""
    return context.sequences * (shape.vocab_size or 0) * _FLOAT


def work_buffer_bytes(shape: ModelShape, context: LlamacppContext, *, flash_attention: bool = True) -> int:
    """The CPU's scratch memory, in no line of the log: one activation, converted for the widest product of matrices.

    `ggml_graph_plan` in `ggml/src/ggml-cpu/ggml-cpu.c`; 2 bytes an element for 16-bit weights, about 1.1 for others.
    """
    heads = shape.heads or 0
    scores = 0 if flash_attention else heads * context.cells
    widest = max(_wide(shape), shape.hidden_size or 0, heads * (shape.head_dim or 0), scores)
    return widest * _batch(context) * _HALF


def _batch(context: LlamacppContext) -> int:
    """Tokens of the graph that is reserved: the same number for each slot."""
    return -(-context.ubatch // context.sequences) * context.sequences


def _cells_of_masks(shape: ModelShape, context: LlamacppContext, swa_full: bool) -> int:
    """Columns of the masks; models with sliding windows have two."""
    if not shape.sliding_window or shape.sliding_layers == 0:
        return context.cells
    return context.cells + (context.cells if swa_full else context.window_cells(shape.sliding_window))


def _attention_width(shape: ModelShape, flash_attention: bool) -> int:
    """Elements a token while attention works: hidden states, queries, keys and values."""
    hidden, heads = shape.hidden_size or 0, shape.heads or 0
    if shape.mla:
        # Queries are multiplied into the space of the compressed vector, and answers come back from it.
        rank, rope = shape.kv_lora_rank or 0, shape.qk_rope_head_dim or 0
        return _HIDDEN_COPIES * hidden + heads * (2 * rank + 4 * rope)
    queries = heads * (shape.head_dim or 0)
    keys = (shape.kv_heads or heads) * (shape.head_dim or 0)
    most = max(4 * hidden + 2 * queries, hidden + 4 * queries)
    return max(most, hidden + 3 * queries + 3 * keys) if flash_attention else most + 2 * keys


def _wide(shape: ModelShape) -> int:
    """Elements a token of the feed-forward layer, of all experts that are used."""
    return (shape.intermediate_size or 0) * (shape.experts_used or 1)


def _feed_forward_width(shape: ModelShape) -> int:
    """Elements a token besides the hidden states. The experts' answers do not always fit into what is free again."""
    hidden, wide = shape.hidden_size or 0, _wide(shape)
    answers = hidden * (shape.experts_used or 1)
    if wide <= hidden:
        return answers
    return _WIDE_COPIES * wide + (answers if 2 * wide < answers else 0)
