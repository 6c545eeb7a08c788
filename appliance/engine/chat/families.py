"""The families of models as data: how each thinks and calls tools.

Sources: the chat templates that the models' publishers ship, their model cards, and for harmony its published guide.
"""

import re

from .channels import CHANNEL_MARKERS
from .syntax import BracedShape, Calls, Family, JsonShape, NamedShape, PythonShape, TaggedShape, Thinking

_NAME = r"(?P<name>[^\s<>{}\[\]()]+?)"

_THINK = Thinking("<think>", "</think>", "<think>\n", "\n</think>\n\n")

_TAGGED_JSON = Calls("<tool_call>", "</tool_call>", JsonShape(), "\n", None, "\n")
_TAGGED_FUNCTION = Calls(
    "<tool_call>",
    "</tool_call>",
    TaggedShape("<function=", (">",), "<parameter=", ">", "", "</parameter>", "</function>", has_lines=True),
    "\n",
    None,
    "\n",
)
_LONE_FUNCTION = Calls("<function=", "</function>", NamedShape(re.compile(_NAME + ">"), "", ">"))
_TOOL_CODE = Calls("```tool_code", "```", PythonShape(), "\n", None, "\n")

GENERIC = Family("generic", (_TAGGED_JSON, _TAGGED_FUNCTION), _THINK, has_bare_calls=True)

HERMES = Family("hermes", (_TAGGED_JSON, _TAGGED_FUNCTION), _THINK)

QWEN_CODER = Family("qwen-coder", (_TAGGED_FUNCTION, _TAGGED_JSON), _THINK)

LLAMA = Family(
    "llama",
    (
        Calls("", "", JsonShape("parameters")),
        Calls("<|python_tag|>", "", JsonShape("parameters")),
        Calls("<|python_start|>", "<|python_end|>", PythonShape(), "[", ", ", "]"),
        _LONE_FUNCTION,
    ),
    has_bare_calls=True,
)

MISTRAL_LIST = Family(
    "mistral",
    (
        Calls("[TOOL_CALLS]", "", JsonShape(), "[", ", ", "]"),
        Calls(
            "[TOOL_CALLS]", "", NamedShape(re.compile(_NAME + r"(?:\[CALL_ID\]\s*\w*)?\s*(?:\[ARGS\])?"), "", "[ARGS]")
        ),
    ),
    Thinking("[THINK]", "[/THINK]", "[THINK]", "[/THINK]"),
    markers=("[CALL_ID]", "[ARGS]"),
)

MISTRAL = Family(
    "mistral-named",
    (
        Calls(
            "[TOOL_CALLS]",
            "",
            NamedShape(re.compile(_NAME + r"(?:\[CALL_ID\]\s*\w*)?\s*(?:\[ARGS\])?"), "", "[ARGS]"),
            pair_separator="",
        ),
        Calls("[TOOL_CALLS]", "", JsonShape(), "[", ", ", "]"),
    ),
    Thinking("[THINK]", "[/THINK]", "[THINK]", "[/THINK]"),
    markers=("[CALL_ID]", "[ARGS]"),
)

_DEEPSEEK_MARKERS = ("<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>")
_DEEPSEEK_HEADER = re.compile(rf"(?:function\s*<｜tool▁sep｜>)?\s*{_NAME}\s*(?:<｜tool▁sep｜>)?\s*(?:```json)?")

DEEPSEEK = Family(
    "deepseek",
    (
        Calls(
            "<｜tool▁calls▁begin｜>",
            "<｜tool▁calls▁end｜>",
            NamedShape(_DEEPSEEK_HEADER, "function<｜tool▁sep｜>", "\n```json\n", ("\n```", "<｜tool▁call▁end｜>")),
            "<｜tool▁call▁begin｜>",
            "\n<｜tool▁call▁begin｜>",
        ),
    ),
    _THINK,
    markers=_DEEPSEEK_MARKERS,
)

DEEPSEEK_HYBRID = Family(
    "deepseek-v3.1",
    (
        Calls(
            "<｜tool▁calls▁begin｜>",
            "<｜tool▁calls▁end｜>",
            NamedShape(_DEEPSEEK_HEADER, "", "<｜tool▁sep｜>", ("```", "<｜tool▁call▁end｜>")),
            "<｜tool▁call▁begin｜>",
            "<｜tool▁call▁begin｜>",
        ),
    ),
    Thinking("<think>", "</think>", "<think>", "</think>"),
    markers=_DEEPSEEK_MARKERS,
)

KIMI = Family(
    "kimi",
    (
        Calls(
            "<|tool_calls_section_begin|>",
            "<|tool_calls_section_end|>",
            NamedShape(
                re.compile(rf"(?:functions\.)?{_NAME}(?::\d+)?\s*<\|tool_call_argument_begin\|>"),
                "functions.",
                ":0<|tool_call_argument_begin|>",
                ("<|tool_call_end|>",),
            ),
            "<|tool_call_begin|>",
            "<|tool_call_begin|>",
        ),
    ),
    _THINK,
    markers=("<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"),
)

_DSML_CALL = TaggedShape(
    '<｜DSML｜invoke name="',
    ('">',),
    '<｜DSML｜parameter name="',
    '" string="false">',
    "",
    "</｜DSML｜parameter>",
    "</｜DSML｜invoke>",
    has_lines=False,
    text_close='" string="true">',
)

DEEPSEEK_DSML = Family(
    "deepseek-v3.2",
    (Calls("<｜DSML｜function_calls>", "</｜DSML｜function_calls>", _DSML_CALL, "\n", "\n", "\n"),),
    Thinking("<think>", "</think>", "<think>", "</think>"),
)

DEEPSEEK_4 = Family(
    "deepseek-v4",
    (Calls("<｜DSML｜tool_calls>", "</｜DSML｜tool_calls>", _DSML_CALL, "\n", "\n", "\n"),),
    Thinking("<think>", "</think>", "<think>", "</think>"),
)

GLM = Family(
    "glm",
    (
        Calls(
            "<tool_call>",
            "</tool_call>",
            TaggedShape("", ("\n",), "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "", has_lines=False),
        ),
        _TAGGED_JSON,
    ),
    _THINK,
    markers=("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"),
)

MINIMAX = Family(
    "minimax",
    (
        Calls(
            "<minimax:tool_call>",
            "</minimax:tool_call>",
            TaggedShape(
                '<invoke name="', ('">',), '<parameter name="', '">', "", "</parameter>", "</invoke>", has_lines=False
            ),
            "\n",
            "\n",
            "\n",
        ),
    ),
    _THINK,
)

SEED = Family(
    "seed",
    (
        Calls(
            "<seed:tool_call>",
            "</seed:tool_call>",
            TaggedShape("<function=", (">",), "<parameter=", ">", "", "</parameter>", "</function>", has_lines=False),
            "\n",
            None,
            "\n",
        ),
    ),
    Thinking("<seed:think>", "</seed:think>", "<seed:think>\n", "\n</seed:think>"),
)

NEMOTRON = Family("nemotron", (Calls("<TOOLCALL>", "</TOOLCALL>", JsonShape(), "[", ", ", "]"),), _THINK)

COHERE = Family(
    "cohere",
    (Calls("<|START_ACTION|>", "<|END_ACTION|>", JsonShape("parameters", "tool_name"), "[\n    ", ",\n    ", "\n]"),),
    Thinking("<|START_THINKING|>", "<|END_THINKING|>", "<|START_THINKING|>", "<|END_THINKING|>"),
)

TOOL_CALLS = Family("tool-calls", (Calls("<tool_calls>", "</tool_calls>", JsonShape(), "[", ", ", "]"),), _THINK)

GEMMA_FUNCTION = Family(
    "function-gemma",
    (Calls("<start_function_call>", "<end_function_call>", BracedShape("call:", "<escape>"), pair_separator=""),),
    markers=("<escape>",),
)

GEMMA_4 = Family(
    "gemma-4",
    (Calls("<|tool_call>", "<tool_call|>", BracedShape("call:", '<|"|>'), pair_separator=""),),
    Thinking("<|channel>thought", "<channel|>", "<|channel>thought\n", "<channel|>"),
    markers=('<|"|>', "<|channel>"),
)

GEMMA = Family("gemma", (_TAGGED_JSON, _TOOL_CODE), has_bare_calls=True)

PHI = Family(
    "phi",
    (Calls("<|tool_call|>", "<|/tool_call|>", JsonShape(), "[", ", ", "]"), _TAGGED_JSON),
    _THINK,
)

GRANITE = Family("granite", (Calls("<|tool_call|>", "", JsonShape(), "[", ", ", "]"), _TAGGED_JSON), _THINK)

LFM = Family("lfm", (Calls("<|tool_call_start|>", "<|tool_call_end|>", PythonShape(), "[", ", ", "]"),), _THINK)

HARMONY = Family(
    "harmony",
    (),
    Thinking(
        "<|channel|>analysis<|message|>",
        "<|end|>",
        "<|channel|>analysis<|message|>",
        "<|end|>",
    ),
    has_channels=True,
    markers=CHANNEL_MARKERS,
)
