"""Run by vLLM's interpreter: writes a small Llama with random weights into a folder; its tokens are bytes, so it can
spell anything that a grammar asks for."""

import sys

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

# Without tabs and line ends, and with the space as token 3, which requests can forbid: a grammar of JSON allows as many
# of them as the model likes.
letters = sorted(set(pre_tokenizers.ByteLevel.alphabet()) - set("ĉĊčĠ"))
words = ["<unk>", "<s>", "</s>", "Ġ", *letters]
tokenizer = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, [], unk_token="<unk>"))
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
config = LlamaConfig(
    vocab_size=320,
    hidden_size=256,
    intermediate_size=512,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=4096,
    bos_token_id=1,
    eos_token_id=2,
    torch_dtype="bfloat16",
)
torch.manual_seed(1)
LlamaForCausalLM(config).bfloat16().save_pretrained(sys.argv[1])
spelling = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
spelling.chat_template = "{% for one in messages %}{{ one['role'] }}: {{ one['content'] }} {% endfor %}"
spelling.save_pretrained(sys.argv[1])
