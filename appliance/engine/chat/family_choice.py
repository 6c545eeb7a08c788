"""Recognizes a model's family by the words that stand in its template. Pure."""

from .families import (
    COHERE,
    DEEPSEEK,
    DEEPSEEK_4,
    DEEPSEEK_DSML,
    DEEPSEEK_HYBRID,
    GEMMA,
    GEMMA_4,
    GEMMA_FUNCTION,
    GENERIC,
    GLM,
    GRANITE,
    HARMONY,
    HERMES,
    KIMI,
    LFM,
    LLAMA,
    MINIMAX,
    MISTRAL,
    MISTRAL_LIST,
    NEMOTRON,
    PHI,
    QWEN_CODER,
    SEED,
    TOOL_CALLS,
)
from .syntax import Family

_BY_TEMPLATE = (
    (("<|channel|>", "<|message|>"), HARMONY),
    (("<|tool_call>",), GEMMA_4),
    (("<start_function_call>",), GEMMA_FUNCTION),
    (("<|tool_calls_section_begin|>",), KIMI),
    (("<minimax:tool_call>",), MINIMAX),
    (("]<]minimax[>[",), GENERIC),  # its tags are named after the arguments, which no shape here says
    (("<｜tool▁calls▁begin｜>", "```json"), DEEPSEEK),
    (("<｜tool▁calls▁begin｜>",), DEEPSEEK_HYBRID),
    (("｜DSML｜", "tool_calls>"), DEEPSEEK_4),
    (("｜DSML｜",), DEEPSEEK_DSML),
    (("<seed:tool_call>",), SEED),
    (("<|START_ACTION|>",), COHERE),
    (("<TOOLCALL>",), NEMOTRON),
    (("[TOOL_CALLS]", "[ARGS]"), MISTRAL),
    (("[TOOL_CALLS]",), MISTRAL_LIST),
    (("<arg_key>",), GLM),
    (("<function=", "<parameter="), QWEN_CODER),
    (("<|tool_call_start|>",), LFM),
    (("<|tool_list_start|>",), LFM),
    (("<|tool_call|>", "<|start_of_role|>"), GRANITE),
    (("<|tool_call|>",), PHI),
    (("<tool_calls>[",), TOOL_CALLS),
    (("<tool_call>",), HERMES),
    (("<tool_calls>",), TOOL_CALLS),
    (("<|python_tag|>",), LLAMA),
    (("<|start_header_id|>", "parameters"), LLAMA),
    (("<|python_start|>",), LLAMA),
    (("<start_of_turn>",), GEMMA),
)

FAMILIES = tuple(dict.fromkeys([*(family for _, family in _BY_TEMPLATE), GENERIC]))


def family_of(template: str | None) -> Family:
    """Return the family whose words stand in the template; the generic one if none's do."""
    if template is not None:
        for words, family in _BY_TEMPLATE:
            if all(word in template for word in words):
                return family
    return GENERIC
