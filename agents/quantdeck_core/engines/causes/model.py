"""The checkpoint: missing, damaged, or not for this engine."""

from __future__ import annotations

from quantdeck_core.engines.causes.cause import Cause, cause
from quantdeck_core.profile.names import LLAMACPP, VLLM

_DAMAGED = "model-damaged"
_AGAIN = "Copy it again, compare its SHA-256 with the source's, then deploy again."
_NEWER = "Update the engine, or convert the model with tools of the engine's own version."
_CHECK = "`quantdeck check MODEL` says what it is and which engines can serve it."
_NAME = r"[\w./-]{1,80}"

_GGUF: tuple[Cause, ...] = (
    # L ggml/src/gguf.cpp; RAN, as all below that carry no other note
    cause(
        "model-missing",
        r"failed to open GGUF file '(?P<path>[^'\n]{1,300})' \(No such file or directory\)",
        "There is no file {path}.",
        "Correct `model` in the profile: it is a path below the agent's model root.",
        engines=LLAMACPP,
    ),
    cause(
        "model-missing",
        r"(?:failed to open|Model path does not exist:|Failed to open) '?(?P<path>/[^'\n:]{1,300})'?(?:: No such "
        r"file|$)",
        "There is no file {path}.",
        "Correct `model` in the profile: it is a path below the agent's model root.",
        engines=LLAMACPP,
    ),
    cause(
        "model-not-gguf",
        r"invalid magic characters",
        "The file is no GGUF: its first four bytes are others.",
        "llama.cpp serves GGUF only: " + _CHECK,
        engines=LLAMACPP,
    ),
    cause(
        "gguf-too-new",
        r"GGUF file is version (?P<has>\d+) but this software only supports up to version (?P<most>\d+)",
        "The file is GGUF version {has}; this llama.cpp reads up to version {most}.",
        _NEWER,
        engines=LLAMACPP,
    ),
    cause(
        "gguf-too-old",
        r"GGUFv1 is no longer supported",
        "The file is GGUF version 1, which llama.cpp reads no more.",
        "Convert the model again.",
        engines=LLAMACPP,
    ),
    cause(
        "gguf-too-new",
        r"tensor '(?P<tensor>[\w.]{1,80})' has invalid ggml type (?P<type>\d+)",
        "The tensor {tensor} is of a type ({type}) that this llama.cpp does not know.",
        _NEWER,
        engines=LLAMACPP,
    ),
    cause(
        _DAMAGED,
        r"tensor '(?P<tensor>[\w.]{1,80})' data is not within the file bounds",
        "The file is not whole: the data of {tensor} lies beyond its end.",
        _AGAIN,
        engines=LLAMACPP,
    ),
    cause(
        "model-part-missing",
        r"failed to load GGUF split from|invalid split (?:file|count)|illegal split file idx",
        "A part of this model is missing, or another part than the first was named.",
        "Bring all parts (-00001-of-...) into one folder, and name the first one in `model`.",
        engines=LLAMACPP,
    ),
    cause(
        _DAMAGED,
        r"corrupted model: (?P<need>\d+) tensors expected but (?P<has>\d+) found",
        "The file should have {need} tensors and has {has}.",
        _AGAIN,
        engines=LLAMACPP,
    ),
    cause(
        "architecture-unsupported",
        r"(?:unknown|unsupported) model architecture: '(?P<arch>[\w.-]{1,64})'",
        "This llama.cpp does not know the architecture {arch}.",
        _NEWER,
        engines=LLAMACPP,
    ),
    cause(
        "model-mismatch",
        r"wrong number of tensors; expected (?P<need>\d+), got (?P<has>\d+)",
        "The model should have {need} tensors by this llama.cpp, and {has} were used.",
        _NEWER,
        engines=LLAMACPP,
    ),
    cause(
        "model-mismatch",
        r"missing tensor '(?P<tensor>[\w.]{1,80})'|tensor '(?P<tensor2>[\w.]{1,80})' (?:not found|has wrong shape)",
        "The tensor {tensor} is missing, or is of another shape than this llama.cpp expects.",
        _NEWER,
        engines=LLAMACPP,
    ),
    cause(
        "model-mismatch",
        r"key not found in model: (?P<key>[\w.]{1,80})",
        "The file says nothing of {key}, which this llama.cpp needs.",
        _NEWER,
        engines=LLAMACPP,
    ),
    cause(
        "tokenizer-unsupported",
        r"unknown (?:pre-tokenizer type|tokenizer): '(?P<name>[\w.-]{1,64})'",
        "This llama.cpp does not know the tokenizer {name}.",
        _NEWER,
        engines=LLAMACPP,
    ),
    cause(
        "tokenizer-missing",
        r"cannot find tokenizer (?P<part>merges|vocab) in model file",
        "The file has no tokenizer ({part}).",
        "Convert the model again, with its tokenizer beside it.",
        engines=LLAMACPP,
    ),
    cause(
        _DAMAGED,
        r"failed to read (?:magic|header|key-value pairs|tensor info|tensor data)|exceeds remaining file size"
        r"|unexpectedly reached end of file|invalid GGUF type|has invalid data|is duplicated",
        "The file is not whole, or damaged.",
        _AGAIN,
        engines=LLAMACPP,
    ),
    cause(
        "flash-attn-needed",
        r"quantized V cache (?:requires flash_attn|was requested, but this requires Flash Attention)",
        "A quantized KV cache needs flash attention.",
        'Set serve.flash_attn = "on", or leave serve.kv_cache_dtype out.',
        engines=LLAMACPP,
    ),
)

_FOLDER: tuple[Cause, ...] = (
    # V config/vllm.py, model_executor/layers/quantization/auto_gptq.py; RAN
    cause(
        "quantization-unsupported",
        r"GPTQ group activation ordering \(desc_act=True\) is no longer supported",
        "The checkpoint is GPTQ with desc_act, which vLLM does not serve any more.",
        "Quantize it with desc_act = false, or take another checkpoint.",
        engines=VLLM,
    ),
    # V config/model.py; RAN
    cause(
        "quantization-unsupported",
        r"Unknown quantization method: (?P<method>[\w-]{1,40})",
        "This vLLM does not know the quantization {method}.",
        _CHECK,
        engines=VLLM,
    ),
    cause(
        "quantization-mismatch",
        r"Quantization method specified in the model config \((?P<has>[\w-]{1,40})\) does not match the "
        r"quantization method "
        r"specified in the `quantization` argument \((?P<asked>[\w-]{1,40})\)",
        "The checkpoint is quantized with {has}, and the profile says {asked}.",
        "Leave serve.quantization out: vLLM finds it in the checkpoint.",
        engines=VLLM,
    ),
    # V model_executor/model_loader/weight_utils.py; RAN
    cause(
        "quantization-mismatch",
        r"Cannot find the config file for (?P<asked>[\w-]{1,40})",
        "The profile says {asked}, and the checkpoint is not quantized so: it has no configuration for it.",
        "Leave serve.quantization out, or name the quantized checkpoint in `model`.",
        engines=VLLM,
    ),
    # V model_executor/layers/quantization/base_config.py; RAN
    cause(
        "quantization-incomplete",
        r"Cannot find any of \[(?P<keys>[\w', ]{1,80})\] in the model's quantization config",
        "The checkpoint's quantization_config says nothing of {keys}.",
        "Take the config.json of the tool that quantized it.",
        engines=VLLM,
    ),
    # V platforms/interface.py
    cause(
        "quantization-unsupported",
        r"(?P<method>[\w-]{1,40}) quantization is currently not supported in (?P<device>[\w.-]{1,40})",
        "vLLM does not serve {method} on {device}.",
        _CHECK,
        engines=VLLM,
    ),
    # V config/vllm.py
    cause(
        "dtype-unsupported",
        r"torch\.(?P<dtype>\w{1,20}) is not supported for quantization method (?P<method>[\w-]{1,40})",
        "{method} does not work with {dtype}.",
        "Set serve.dtype to another one.",
        engines=VLLM,
    ),
    # V model_executor/models/registry.py; RAN
    cause(
        "architecture-unsupported",
        r"Model architectures \['(?P<arch>[\w.-]{1,80})'[^\n]{0,100}\] (?:are not supported for now|failed to be "
        r"inspected)",
        "This vLLM does not know the architecture {arch}.",
        "Update vLLM, or serve another model.",
        engines=VLLM,
    ),
    # transformers models/auto/configuration_auto.py; RAN
    cause(
        "architecture-unsupported",
        r"has model type `(?P<arch>[\w.-]{1,80})` but Transformers does not recognize",
        "The engine's Transformers does not know the model type {arch}.",
        "Update transformers and vLLM in the engine's environment.",
        engines=VLLM,
    ),
    # transformers dynamic_module_utils.py; RAN
    cause(
        "remote-code-needed",
        r"contains custom code which must be executed|trust_remote_code=True",
        "The checkpoint comes with Python code of its own, which must run for it to load.",
        "Read that code, then set serve.trust_remote_code = true.",
        engines=VLLM,
    ),
    # V config/model.py; RAN
    cause(
        "context-too-long",
        r"max_model_len \((?P<asked>\d+)\) is greater than the derived max_model_len \(\w{1,40}=(?P<most>\d+)",
        "The profile asks for {asked} tokens, and the model was made for {most}.",
        "Set serve.max_model_len to {most} or less.",
        engines=VLLM,
    ),
    cause(
        "parallel-size",
        r"attention heads \((?P<heads>\d+)\) must be divisible by tensor parallel size \((?P<size>\d+)\)",
        "{heads} attention heads cannot be divided among {size} GPUs.",
        "Set serve.tensor_parallel_size to a divisor of {heads}.",
        engines=VLLM,
    ),
    cause(
        "parallel-size",
        r"(?P<size>\d+) is not divisible by (?P<by>\d+)",
        "A dimension of the model ({size}) cannot be divided by {by}.",
        "Choose another serve.tensor_parallel_size; with a quantized checkpoint its group size has to fit too.",
        engines=VLLM,
    ),
    # transformers_utils/config.py; RAN
    cause(
        "model-config-missing",
        r"Invalid repository ID or local directory specified|does not appear to have a file named config\.json",
        "The folder has no config.json.",
        "Bring the whole checkpoint, or correct `model` in the profile.",
        engines=VLLM,
    ),
    # transformers configuration_utils.py; RAN with a GGUF
    cause(
        "model-config-unreadable",
        r"config file at '(?P<path>[^'\n]{1,300})' is not a valid JSON file",
        "{path} is no JSON; a GGUF file looks so to vLLM.",
        "Serve a GGUF with llama.cpp, or name a folder with config.json in `model`. " + _CHECK,
        engines=VLLM,
    ),
    # V model_executor/model_loader/default_loader.py; RAN
    cause(
        "model-missing",
        rf"Cannot find any model weights with `(?P<path>{_NAME})`",
        "There are no weights in {path}.",
        "Bring the checkpoint's .safetensors files there.",
        engines=VLLM,
    ),
    # safetensors; RAN
    cause(
        _DAMAGED,
        r"SafetensorError: |Error while deserializing header",
        "A .safetensors file is not whole, or damaged.",
        _AGAIN,
        engines=VLLM,
    ),
    # transformers tokenization_utils_tokenizers.py; RAN
    cause(
        "tokenizer-missing",
        r"Couldn't instantiate the backend tokenizer|Can't load tokenizer for|Unable to load vocabulary from file"
        r"|Failed to load the tokenizer",
        "The folder has no tokenizer, or one that the engine cannot read.",
        "Bring tokenizer.json and tokenizer_config.json of the original model into it.",
        engines=VLLM,
    ),
    # V model_executor/models/utils.py
    cause(
        "model-mismatch",
        r"There is no module or parameter named '(?P<tensor>[\w.]{1,120})'",
        "The checkpoint has the tensor {tensor}, which this vLLM's model has not.",
        "Its config.json and its weights may be of different models, or vLLM is too old for it.",
        engines=VLLM,
    ),
    cause(
        "model-mismatch",
        r"Following weights were not initialized from checkpoint",
        "The checkpoint lacks tensors that the model needs.",
        "Its config.json and its weights may be of different models, or a part is missing.",
        engines=VLLM,
    ),
)

CAUSES: tuple[Cause, ...] = (*_GGUF, *_FOLDER)
