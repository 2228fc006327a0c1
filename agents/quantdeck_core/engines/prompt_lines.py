"""Lines in which engines print what users wrote or were answered: they are shown to nobody.

Engines are started so that they log no requests. These are the lines that come nevertheless: messages about requests
that an engine could not read, and what a person switches on by hand.
"""

from __future__ import annotations

import re

_CARRIES = re.compile(
    "|".join(
        (
            # vLLM: entrypoints/serve/utils/request_logger.py; up to 0.8 with the prompt in the same line.
            r"Received request \S+:",
            r"Request \S+ details: ",
            r"Request \S+ JSON body: ",
            r"Generated response \S+",
            # vLLM: entrypoints/serve/middleware/log_response.py, logging_utils/dump_input.py (stop words, schemas),
            # renderers/hf.py, v1/engine/async_llm.py.
            r"response_body=\{",
            r"Dumping scheduler output",
            r"Chat template rejected the request",
            r"Request \S+ failed \((?:bad request|input error)\): ",
            r"\bprompt(?:_token_ids|_text)?\s?[:=]\s?['\"\[]",
            # llama.cpp: tools/server/server.cpp and server-http.cpp quote what they could not parse.
            r"got (?:another )?exception: ",
            r"send_error: ",
            r"\b(?:converted )?request:  ?[{\[\"]",
            r"\bresponse:  ",
            # llama.cpp: server-context.cpp (debug), server-chat.cpp, common/chat.cpp, common/sampling.cpp,
            # src/llama-grammar.cpp, common/json-schema-to-grammar.cpp.
            r"^\d+\.\d\d\.\d{3}\.\d{3} D ",
            r"(?:prompt|cache) token +\d+: ",
            r"next token: ",
            r"generation_prompt='",
            r"anthropic string not as expected",
            r"unparsed .{0,60}output: ",
            r"AST for .{0,20}parse",
            r"Parsing (?:chat message|input)",
            r"Parsed message: ",
            r"Tool call mismatch: ",
            r"failed to apply template: ",
            r"error parsing grammar: ",
            r"error initializing grammar sampler",
            r"Generation prompt:",
            r"JSON schema conversion was incomplete",
            r"JSON schema error",
            r"stopped by (?:word|string)",
            r"(?:matched|found) stop(?:ping)? (?:word|string)",
            # llama-cpp-python: llama_cpp/server/errors.py prints any exception of a request, and its traceback.
            r"^Exception: (?!WorkerProc )",
        )
    )
)
_STARTS = re.compile(
    r"\d+\.\d\d\.\d{3}\.\d{3} [A-Z] "
    r"|(?:\([\w.,=@ -]{1,80}\) ?)*(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)(?: \d\d-\d\d \d\d:\d\d:\d\d \[|:  )"
    r"|\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d"
    r"|listening on http"
)
"""How a new message begins. What follows a message that carries text, up to there, is its continuation."""

_QUOTED_INPUT = re.compile(r"(?:,|\[) ?input_value=.*|'input': .*")
"""pydantic repeats what it was given."""


class PromptFilter:
    """Goes over the lines of one source in their order.

    Args:
        continues: messages may go on in the next lines, as those of engines do.
    """

    def __init__(self, *, continues: bool = True) -> None:
        self._continues, self._dropping = continues, False
        self.dropped = 0
        """Lines that were not let through."""

    def gap(self) -> None:
        """Lines are missing here: what follows may continue one that carries text, up to the next message."""
        self._dropping = self._continues

    def keep(self, line: str) -> bool:
        """Whether a line may be shown."""
        if _CARRIES.search(line):
            self._dropping = True
        elif self._dropping and (not self._continues or _STARTS.match(line)):
            self._dropping = False
        self.dropped += self._dropping
        return not self._dropping


def without_input(line: str) -> str:
    """A line without the input that a validation error quotes."""
    return _QUOTED_INPUT.sub(" [...]", line) if "input" in line else line
