"""The families of chat templates by name, and the words by which a template is recognized. Pure.

What a family's words mean, how it thinks and calls tools, is the engine's own.
"""

GENERIC = "generic"

_BY_WORDS = (
    (("<|channel|>", "<|message|>"), "harmony"),
    (("<|tool_call>",), "gemma-4"),
    (("<start_function_call>",), "function-gemma"),
    (("<|tool_calls_section_begin|>",), "kimi"),
    (("<minimax:tool_call>",), "minimax"),
    (("]<]minimax[>[",), "generic"),  # its tags are named after the arguments, which no shape here says
    (("<｜tool▁calls▁begin｜>", "```json"), "deepseek"),
    (("<｜tool▁calls▁begin｜>",), "deepseek-v3.1"),
    (("｜DSML｜", "tool_calls>"), "deepseek-v4"),
    (("｜DSML｜",), "deepseek-v3.2"),
    (("<seed:tool_call>",), "seed"),
    (("<|START_ACTION|>",), "cohere"),
    (("<TOOLCALL>",), "nemotron"),
    (("[TOOL_CALLS]", "[ARGS]"), "mistral-named"),
    (("[TOOL_CALLS]",), "mistral"),
    (("<arg_key>",), "glm"),
    (("<function=", "<parameter="), "qwen-coder"),
    (("<|tool_call_start|>",), "lfm"),
    (("<|tool_list_start|>",), "lfm"),
    (("<|tool_call|>", "<|start_of_role|>"), "granite"),
    (("<|tool_call|>",), "phi"),
    (("<tool_calls>[",), "tool-calls"),
    (("<tool_call>",), "hermes"),
    (("<tool_calls>",), "tool-calls"),
    (("<|python_tag|>",), "llama"),
    (("<|start_header_id|>", "parameters"), "llama"),
    (("<|python_start|>",), "llama"),
    (("<start_of_turn>",), "gemma"),
)

FAMILY_NAMES = tuple(dict.fromkeys([*(family for _, family in _BY_WORDS), GENERIC]))

_TOOL_WORDS = ("tools",)
_THINKING_WORDS = ("enable_thinking", "<think>", "reasoning_content", "reasoning_effort", "thinking", "[THINK]")


def family_name(template: str | None) -> str:
    """Return the family whose words stand in the template; the generic one if none's do."""
    if template is not None:
        for words, family in _BY_WORDS:
            if all(word in template for word in words):
                return family
    return GENERIC


def knows_tools(template: str | None) -> bool:
    """Return whether the template was written for tools: any model can be offered some, few were taught to use them."""
    return template is not None and any(word in template for word in _TOOL_WORDS)


def knows_thinking(template: str | None) -> bool:
    """Return whether the template was written for a model that thinks before it answers."""
    return template is not None and any(word in template for word in _THINKING_WORDS)
