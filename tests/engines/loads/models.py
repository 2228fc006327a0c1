"""Synthetic models: shapes of well-known families, cut to a few layers, with all weights zero."""

from __future__ import annotations

from dataclasses import dataclass

from quantdeck_core.formats.checkpoint import ModelShape

Tensor = tuple[str, tuple[int, ...], str]
"""Name, dimensions as GGUF writes them (innermost first) and type."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model that llama.cpp loads.

    Attributes:
        feed_forward: elements of one expert's, or the dense, feed-forward layer.
        matrices: type of all matrices but the embedding.
        embedding: type of the embedding, and of the output matrix where there is one.
        tied: the embedding is the output matrix too.
        window: sliding window, tokens; 0 for none.
        pattern: every `pattern`-th layer sees all tokens, the others the window.
        kv_rank: MLA: elements of the compressed vector.
        rope: MLA: elements of the key's rotary part.
    """

    name: str
    arch: str = "llama"
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int
    vocab: int
    matrices: str = "F16"
    embedding: str = "F16"
    tied: bool = False
    window: int = 0
    pattern: int = 1
    experts: int = 0
    experts_used: int = 0
    kv_rank: int = 0
    rope: int = 0
    context: int = 131_072

    @property
    def shape(self) -> ModelShape:
        """As `quantdeck check` should find it in the file."""
        return ModelShape(
            architecture=self.arch,
            layers=self.layers,
            hidden_size=self.hidden,
            heads=self.heads,
            kv_heads=self.kv_heads,
            head_dim=self.head_dim,
            context_length=self.context,
            sliding_window=self.window or None,
            sliding_layers=sum(layer % self.pattern < self.pattern - 1 for layer in range(self.layers)),
            mla=self.kv_rank > 0,
            kv_lora_rank=self.kv_rank or None,
            qk_rope_head_dim=self.rope or None,
            vocab_size=self.vocab,
            intermediate_size=self.feed_forward,
            experts=self.experts or None,
            experts_used=self.experts_used or None,
        )


def tensors(model: Model) -> list[Tensor]:
    """What llama.cpp's loader asks for (`src/models/<arch>.cpp`)."""
    found: list[Tensor] = [
        ("token_embd.weight", (model.hidden, model.vocab), model.embedding),
        ("output_norm.weight", (model.hidden,), "F32"),
    ]
    if not model.tied:
        found.append(("output.weight", (model.hidden, model.vocab), model.embedding))
    for layer in range(model.layers):
        block = [*_attention(model), *_feed_forward(model)]
        found += [(f"blk.{layer}.{name}", dims, kind) for name, dims, kind in block]
    return found


def _attention(model: Model) -> list[Tensor]:
    hidden, kind = model.hidden, model.matrices
    queries, keys = model.heads * model.head_dim, model.kv_heads * model.head_dim
    found: list[Tensor] = [("attn_norm.weight", (hidden,), "F32")]
    if model.kv_rank:
        nope = model.head_dim - model.rope
        return [
            *found,
            ("attn_kv_a_norm.weight", (model.kv_rank,), "F32"),
            ("attn_q.weight", (hidden, queries), kind),
            ("attn_kv_a_mqa.weight", (hidden, model.kv_rank + model.rope), kind),
            ("attn_k_b.weight", (nope, model.kv_rank, model.heads), kind),
            ("attn_v_b.weight", (model.kv_rank, nope, model.heads), kind),
            ("attn_output.weight", (model.heads * nope, hidden), kind),
        ]
    if model.arch == "phi3":
        found.append(("attn_qkv.weight", (hidden, queries + 2 * keys), kind))
    else:
        found += [
            ("attn_q.weight", (hidden, queries), kind),
            ("attn_k.weight", (hidden, keys), kind),
            ("attn_v.weight", (hidden, keys), kind),
        ]
    found.append(("attn_output.weight", (queries, hidden), kind))
    if model.arch == "qwen2":
        found += [(f"attn_{one}.bias", (size,), "F32") for one, size in (("q", queries), ("k", keys), ("v", keys))]
    if model.arch in ("qwen3moe", "gemma3"):
        found += [("attn_q_norm.weight", (model.head_dim,), "F32"), ("attn_k_norm.weight", (model.head_dim,), "F32")]
    if model.arch in ("gemma2", "gemma3"):
        found += [("post_attention_norm.weight", (hidden,), "F32"), ("post_ffw_norm.weight", (hidden,), "F32")]
    return found


def _feed_forward(model: Model) -> list[Tensor]:
    hidden, width, kind = model.hidden, model.feed_forward, model.matrices
    norm: Tensor = ("ffn_norm.weight", (hidden,), "F32")
    if model.experts:
        many = model.experts
        return [
            norm,
            ("ffn_gate_inp.weight", (hidden, many), "F32"),
            ("ffn_gate_exps.weight", (hidden, width, many), kind),
            ("ffn_down_exps.weight", (width, hidden, many), kind),
            ("ffn_up_exps.weight", (hidden, width, many), kind),
        ]
    if model.arch == "phi3":
        return [norm, ("ffn_up.weight", (hidden, 2 * width), kind), ("ffn_down.weight", (width, hidden), kind)]
    return [
        norm,
        ("ffn_gate.weight", (hidden, width), kind),
        ("ffn_up.weight", (hidden, width), kind),
        ("ffn_down.weight", (width, hidden), kind),
    ]
