"""Conversations with tools: the question that needs one and its call, the result and what it means, or no call at all.

Names of tools and parameters vary in their words and in their spelling, so that they are read and not remembered.
"""

import json
from random import Random
from typing import Any

from .grammar import expand
from .tools import HELD_OUT, TOOLS, Parameter, Tool
from .values import CHINESE, ENGLISH, made_up_word


def example(random: Random, held_out: bool = False) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return messages and tools: a question, its call, and, half the time, the tool's result and what it means."""
    tool = random.choice(HELD_OUT if held_out else TOOLS)
    return _conversation(tool, [random.choice(TOOLS) for _ in range(random.choice((0, 0, 1, 1, 2)))], random)


def tools_on_offer(random: Random) -> list[dict[str, Any]]:
    """Return one to three tools for a conversation that may not need them."""
    return _declared(random.sample(TOOLS, random.randint(1, 3)), random)


def _conversation(tool: Tool, others: list[Tool], random: Random) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    offered = [other for index, other in enumerate(others) if other is not tool and other not in others[:index]]
    offered.insert(random.randint(0, len(offered)), tool)
    tools = _declared(offered, random)
    function = tools[offered.index(tool)]["function"]
    chinese = random.random() < 0.25
    values = [_value(parameter, chinese, random) for parameter in tool.parameters]
    question = expand(random.choice(tool.chinese if chinese else tool.questions), random)
    noun = next((noun for noun in tool.nouns if noun in function["name"]), tool.nouns[0]).replace("_", " ")
    question = question.format(*values, noun=noun)
    if not chinese and random.random() < 0.5:
        question = question[0].upper() + question[1:]
    arguments = dict(zip(function["parameters"]["properties"], values, strict=True))
    call = {"type": "function", "function": {"name": function["name"], "arguments": arguments}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": "", "tool_calls": [call]},
    ]
    if random.random() < 0.5:
        result = tool.result(random)
        answer = tool.chinese_answer if chinese else tool.answer
        messages += [
            {"role": "tool", "content": json.dumps({tool.result_key: result}, ensure_ascii=False)},
            {"role": "assistant", "content": answer.format(*values, result=result)},
        ]
    return messages, tools


def _value(parameter: Parameter, chinese: bool, random: Random) -> Any:
    if chinese:
        kind = next((kind for kind, known in ENGLISH.items() if known is parameter.value), None)
        if kind is not None:
            return CHINESE[kind](random)
    return parameter.value(random)


def _declared(tools: list[Tool], random: Random) -> list[dict[str, Any]]:
    """Return the tools as a client of the API writes them, their names spelled in one way."""
    spelling = random.choice((_snake, _snake, _camel, _dotted))
    described = random.random() < 0.7
    declared: dict[str, dict[str, Any]] = {}
    for tool in tools:
        name = spelling(_name(tool, random))
        while name in declared:
            name = spelling(_name(tool, random))
        properties: dict[str, Any] = {}
        for parameter in tool.parameters:
            free = [name for name in parameter.names if name not in properties]
            properties[random.choice(free)] = _schema(parameter, random)
        function: dict[str, Any] = {"name": name, "parameters": {"type": "object", "properties": properties}}
        if described:
            function["description"] = tool.description
        declared[name] = {"type": "function", "function": function}
    return list(declared.values())


def _schema(parameter: Parameter, random: Random) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.type}
    return {**schema, "enum": list(parameter.choices)} if parameter.choices and random.random() < 0.5 else schema


def _name(tool: Tool, random: Random) -> str:
    noun = random.choice(tool.nouns)
    chance = random.random()
    if chance < 0.12:
        return f"{noun}_{made_up_word(random)}"
    return noun if chance < 0.25 else f"{random.choice(tool.verbs)}_{noun}"


def _snake(name: str) -> str:
    return name


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _dotted(name: str) -> str:
    return name.replace("_", "-", 1)
