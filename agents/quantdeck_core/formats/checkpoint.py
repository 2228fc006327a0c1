"""What `quantdeck check` finds out about a checkpoint."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Format = Literal[
    "gptq", "awq", "compressed-tensors", "fp8", "mxfp4", "nvfp4", "modelopt", "bitsandbytes", "autoround",
    "gguf", "safetensors", "pickle",
]  # fmt: skip


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something about a checkpoint that its user should know.

    Attributes:
        code: stable, for scripts, e.g. ``shard-missing``.
        blocks: whether no engine can serve it so.
    """

    code: str
    detail: str
    hint: str = ""
    blocks: bool = False


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """How it was quantized, as far as the checkpoint says; 'unknown' where it does not.

    Attributes:
        tool: what wrote it, with its version where it says.
        method: how, in the tool's words.
        sequence_length: tokens of one calibration sample.
        true_sequential: layers were quantized one after the other, each with the errors of those before it.
    """

    tool: str = "unknown"
    method: str = "unknown"
    calibration_set: str = "unknown"
    samples: int | Literal["unknown"] = "unknown"
    sequence_length: int | Literal["unknown"] = "unknown"
    true_sequential: bool | Literal["unknown"] = "unknown"


class ModelShape(msgspec.Struct, frozen=True, kw_only=True):
    """What weights and KV cache depend on. None is 'the checkpoint does not say', unless another meaning is given.

    Attributes:
        architecture: the first of `architectures`, or `general.architecture`.
        text_architecture: of the language part of a multimodal model, where it names its own.
        vocab_size: tokens of the vocabulary.
        intermediate_size: feed-forward length: of one expert where there are experts, else of the whole layer.
        experts: routed experts of a layer; None for a dense model.
        experts_used: of them, how many one token goes through.
        head_dim: elements of one head's key; of its value too, unless `head_dim_v` says otherwise.
        sliding_head_dim: of a sliding-window layer's key and value, where it differs from that of the others.
        context_length: tokens.
        attention_layers: layers that keep keys and values, or share another layer's; None: all. The others of a hybrid
            model (Mamba, linear attention, convolution) have a state of fixed size instead.
        shared_kv_layers: the last so many layers keep nothing: they use the cache of an earlier layer. None: no layer.
        kv_heads_per_layer: where layers differ, one entry a layer; 0 for a layer without keys and values of its own.
        sliding_window: tokens that a sliding-window layer (or one with chunks) sees; None where every layer sees all.
        sliding_layers: of the layers with a cache of their own, how many are such; 0 where the engine ignores the
            window; None where the checkpoint does not say which.
        sliding_per_layer: beside `kv_heads_per_layer`, where there is a window: which are such.
        mla: multi-head latent attention: one compressed vector per token and layer instead of keys and values.
        kv_lora_rank: MLA: elements of that vector.
        qk_rope_head_dim: MLA: elements of the key's rotary part, stored beside it.
    """

    architecture: str | None = None
    text_architecture: str | None = None
    layers: int | None = None
    hidden_size: int | None = None
    vocab_size: int | None = None
    intermediate_size: int | None = None
    experts: int | None = None
    experts_used: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    head_dim: int | None = None
    head_dim_v: int | None = None
    sliding_head_dim: int | None = None
    context_length: int | None = None
    attention_layers: int | None = None
    shared_kv_layers: int | None = None
    kv_heads_per_layer: tuple[int, ...] | None = None
    sliding_window: int | None = None
    sliding_layers: int | None = None
    sliding_per_layer: tuple[bool, ...] | None = None
    mla: bool = False
    kv_lora_rank: int | None = None
    qk_rope_head_dim: int | None = None


class Checkpoint(ModelShape, frozen=True, kw_only=True):
    """A checkpoint, from its headers alone.

    Attributes:
        label: for people, e.g. ``GPTQ 4-bit, group 128, desc_act``.
        scheme: what the weights and activations are, where the format has several: ``w4a16``, ``w8a8-int8``, ``fp8``,
            ``nvfp4``, ``nf4``, ``bf16``, ``Q4_K_M``.
        bits: of one stored weight, nominal.
        group_size: weights that share a scale; -1 for a whole column or tensor.
        desc_act: GPTQ: columns are in order of activation (act-order).
        actorder: compressed-tensors' kind of the same: ``group``, ``dynamic``, ``weight``, ``static``.
        packing: how weights are laid out, in the format's own word: compressed-tensors' `format`, GPTQ's
            `checkpoint_format`, AutoRound's `packing_format`, ModelOpt's `quant_algo`.
        strategy: compressed-tensors: what shares a scale, e.g. ``group``, ``channel``, ``block``, ``tensor``.
        config_groups: compressed-tensors: kinds of layers that are quantized differently.
        overrides: GPTQ, AutoRound: some layers have bits or groups of their own.
        kv_cache_dtype: ``fp8`` or ``nvfp4`` where the checkpoint brings scales for such a KV cache: vLLM then takes it
            unless another type is asked for.
        declared_in: the file that declares the quantization, with the section where it is not the usual one.
        side_tensors: suffixes of what is stored beside weights, e.g. ``.scales``.
        parameters: of the model, packed weights counted one by one; scales and zero points are none.
        weights_bytes: tensors of all files.
        tensor_bytes: type of tensor -> bytes.
        layers_bytes: GGUF: of `weights_bytes`, what belongs to repeated layers, which can be put on a GPU one by one.
        embedding_bytes: GGUF: of `weights_bytes`, the token embedding, which llama.cpp keeps in RAM.
        resident_bytes: GGUF: kind of CPU -> bytes of weights in RAM where it is served without a GPU: the mapped file,
            and copies in the order of that CPU's kernels.
        tied: GGUF: there is no output matrix of its own: the embedding is used, and copied to a GPU for it.
        files: files with weights.
        remote_code: the configuration names Python code in the checkpoint that an engine would have to run.
    """

    format: Format
    label: str
    scheme: str | None = None
    bits: int | None = None
    group_size: int | None = None
    desc_act: bool | None = None
    sym: bool | None = None
    actorder: str | None = None
    packing: str | None = None
    strategy: str | None = None
    config_groups: int | None = None
    overrides: bool = False
    kv_cache_dtype: str | None = None
    declared_in: str | None = None
    side_tensors: tuple[str, ...] = ()
    parameters: int | None = None
    weights_bytes: int = 0
    tensor_bytes: dict[str, int] = msgspec.field(default_factory=dict)
    layers_bytes: int | None = None
    embedding_bytes: int | None = None
    tied: bool | None = None
    resident_bytes: dict[str, int] | None = None
    files: int = 1
    remote_code: bool = False
    provenance: Provenance | Literal["unknown"] = "unknown"
    problems: tuple[Problem, ...] = ()


def shape_fields(shape: ModelShape) -> dict[str, Any]:
    """A shape as keyword arguments of `Checkpoint`."""
    return {name: getattr(shape, name) for name in ModelShape.__struct_fields__}
