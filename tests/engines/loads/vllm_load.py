"""Run by vLLM's own interpreter: `vllm_load.py FOLDER ARGUMENTS` loads a model, and ends; the log is what counts."""

from __future__ import annotations

import json
import sys

if __name__ == "__main__":
    from vllm import LLM

    llm = LLM(sys.argv[1], **json.loads(sys.argv[2]))
    print("loaded", llm.llm_engine.vllm_config.max_in_flight_tokens, flush=True)
