"""Feed-forward length and experts from a Hugging Face `config.json`."""

from __future__ import annotations

from quantdeck_core.formats.fields import Json, positive, section, text

_FOUR_TIMES = ("gpt2", "gptj", "gpt_bigcode", "gpt_neo", "bloom", "falcon", "codegen", "mpt")
"""Families whose feed-forward length is 4 x hidden_size where nothing says otherwise."""

_EXPERTS = ("n_routed_experts", "num_local_experts", "num_experts", "moe_num_experts", "num_moe_experts")
_USED = ("num_experts_per_tok", "num_experts_per_token", "moe_top_k", "moe_topk", "moe_k", "top_k_experts")


def read_experts(body: Json) -> tuple[int | None, int | None]:
    """Routed experts of a layer and how many of them a token uses; None for a dense model.

    Raises:
        ConfigError: a number is none.
    """
    nested = section(body, "ffn_config")  # DBRX
    experts = positive(body, *_EXPERTS) or positive(nested, *_EXPERTS)
    if experts is None or experts == 1:
        return None, None
    return experts, positive(body, *_USED) or positive(nested, *_USED)


def read_intermediate_size(body: Json, hidden: int | None, experts: int | None) -> int | None:
    """Length of one expert, or of the whole layer where there are none.

    Raises:
        ConfigError: a number is none.
    """
    dense = ("intermediate_size", "ffn_hidden_size", "n_inner", "ffn_dim", "d_ff")
    if experts:
        nested = positive(section(body, "ffn_config"), "ffn_hidden_size")
        return positive(body, "moe_intermediate_size", "expert_ffn_hidden_size", *dense) or nested
    # Granite 4 without experts keeps its layer under the name of the shared expert.
    found = positive(body, *(("shared_intermediate_size",) if "num_local_experts" in body else ()), *dense)
    if found is None and hidden and text(body, "model_type") in _FOUR_TIMES:
        return 4 * hidden
    return found
