"""`appliance chat`: one question, one answer; at home in pipes."""

import argparse
import sys

from appliance.core.request import Message
from appliance.words import tr

from .answer import Params, ask, print_figures
from .arguments import Group, Parser, add_command
from .context import Context
from .exits import DONE, WRONG_USAGE, CommandError
from .output import print_json

DESCRIPTION = """
Ask one question and print the answer as it is generated.

What comes through a pipe is put below the question; without a question it is the question.
"""
EXAMPLES = """
appliance chat "Name three rivers"
git diff | appliance chat "Write a commit message for this"
appliance chat --json --temperature 0 "What is 2 + 2?" < /dev/null
"""


def register(group: Group) -> None:
    """Add the command."""
    parser = add_command(group, "chat", _run, "ask one question", DESCRIPTION, EXAMPLES)
    parser.add_argument("question", nargs="*", metavar="QUESTION", help="the question, if not all of it is piped in")
    parser.add_argument("--model", metavar="NAME", help="the model to ask (default: the default model)")
    parser.add_argument("--no-stream", action="store_true", help="print the answer once it is complete")
    add_sampling(parser)


def add_sampling(parser: Parser) -> None:
    """Add the flags that shape an answer, which `params` reads."""
    parser.add_argument("--system", metavar="TEXT", help="instructions that go before the conversation")
    parser.add_argument(
        "--temperature", type=float, metavar="X", help="0 for the likeliest answer, up to 2 for variety"
    )
    parser.add_argument("--max-tokens", type=int, metavar="N", help="length of the answer at most")
    parser.add_argument("--seed", type=int, metavar="N", help="draw the same tokens in every run")
    parser.add_argument("--verbose", action="store_true", help="show tokens and speed after the answer")


def params(arguments: argparse.Namespace) -> Params:
    """Return the fields of the request that the flags set."""
    given = {"temperature": arguments.temperature, "max_tokens": arguments.max_tokens, "seed": arguments.seed}
    return {name: value for name, value in given.items() if value is not None}


def _run(arguments: argparse.Namespace, context: Context) -> int:
    piped = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read().strip()
    question = "\n\n".join(part for part in (" ".join(arguments.question).strip(), piped) if part)
    if not question:
        raise CommandError(tr('there is no question; write: appliance chat "QUESTION"'), WRONG_USAGE)
    system = [Message(role="system", content=arguments.system)] if arguments.system else []
    messages = [*system, Message(role="user", content=question)]
    is_streamed = not (context.is_json or arguments.no_stream)
    answer = ask(
        context.client(), arguments.model, messages, params(arguments), is_shown=is_streamed, is_stoppable=False
    )
    if context.is_json:
        end = answer.end
        reply = {"content": answer.text, "duration_s": answer.total_s}
        print_json(
            reply | ({"model": end.model, "finish_reason": end.finish_reason, "usage": end.usage} if end else {})
        )
    elif not is_streamed:
        print(answer.text)
    if arguments.verbose:
        print_figures(answer)
    return DONE
