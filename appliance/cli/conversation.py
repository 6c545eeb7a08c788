"""`appliance run`: a conversation in the terminal. Holds it in memory only; nothing that is said is written down."""

import argparse
import contextlib
import shlex
import sys

from appliance.client import Client, ClientError
from appliance.core.request import Message
from appliance.words import tr

from .answer import Params, ask, print_figures
from .arguments import Group, add_command
from .chat import add_sampling, params
from .context import Context
from .exits import DONE, explain
from .output import print_json
from .progress import show_progress

DESCRIPTION = """
Chat with a model in the terminal. The model is loaded first if it is not in memory.

Ctrl-C stops an answer, not the program; Ctrl-D or /bye leaves. In the conversation, /help lists what else there is.
"""
EXAMPLES = """
appliance run
appliance run guide --verbose
appliance run qwen3 --system "Answer in one sentence" --temperature 0.2
"""
HELP = """\
/bye              leave (also Ctrl-D)
/clear            forget the conversation
/system TEXT      give instructions and begin again; without TEXT: none
/set NAME VALUE   sampling from now on: {names}
/set              show what is set
Ctrl-C            stop the answer"""
PARAMETERS: dict[str, type[int] | type[float]] = {
    "temperature": float,
    "top_p": float,
    "top_k": int,
    "min_p": float,
    "repeat_penalty": float,
    "max_tokens": int,
    "seed": int,
}


def register(group: Group) -> None:
    """Add the command."""
    parser = add_command(group, "run", _run, "chat with a model in the terminal", DESCRIPTION, EXAMPLES)
    parser.add_argument("model", nargs="?", metavar="NAME", help="the model (default: the default model)")
    add_sampling(parser)


def _run(arguments: argparse.Namespace, context: Context) -> int:
    client = context.client()
    _load(client, arguments.model, context)
    is_terminal = sys.stdin.isatty() and not context.is_json
    if is_terminal:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  (gives input() editing and the lines of this conversation)
        print(tr("Ctrl-D or /bye leaves, /help explains."))
    conversation = Conversation(client, arguments.model, arguments.system, params(arguments), context.is_json)
    conversation.is_verbose = arguments.verbose
    while not conversation.is_over:
        try:
            conversation.hear(input(">>> " if is_terminal else ""))
        except EOFError:
            break
        except KeyboardInterrupt:
            print(tr("\n(Ctrl-D or /bye leaves)"))
    return DONE


def _load(client: Client, model: str | None, context: Context) -> None:
    """Load the model with its progress shown. A key that may only chat may still chat: its first question loads."""
    try:
        show_progress(client.load(model or client.status().default_model), is_json=context.is_json)
    except ClientError as error:
        if error.status != 403:
            raise


class Conversation:
    """What was said so far, and the commands that begin with a slash."""

    def __init__(self, client: Client, model: str | None, system: str | None, sampling: Params, is_json: bool) -> None:
        self.is_over = False
        self.is_verbose = False
        self._client = client
        self._model = model
        self._sampling = sampling
        self._is_json = is_json
        self._begin(system)

    def hear(self, line: str) -> None:
        """Take one line of the person: a command, or something to say to the model."""
        if line.startswith("/"):
            self._obey(line)
        elif line.strip():
            self._say(line)

    def _begin(self, system: str | None) -> None:
        self._messages = [Message(role="system", content=system)] if system else []

    def _say(self, line: str) -> None:
        messages = [*self._messages, Message(role="user", content=line)]
        is_shown = not self._is_json
        try:
            answer = ask(self._client, self._model, messages, self._sampling, is_shown=is_shown, is_stoppable=True)
        except ClientError as error:
            # The conversation goes on as if the line had not been said: it may be shorter, or the daemon back, next.
            print(f"appliance: {explain(error)[0]}", file=sys.stderr)
            return
        self._messages = [*messages, Message(role="assistant", content=answer.text)]
        if self._is_json:
            print_json({"content": answer.text, "duration_s": answer.total_s})
        if self.is_verbose:
            print_figures(answer)

    def _obey(self, line: str) -> None:
        command, _, rest = line.partition(" ")
        match command:
            case "/bye" | "/exit" | "/quit":
                self.is_over = True
            case "/clear":
                self._messages = [message for message in self._messages if message.role == "system"]
            case "/system":
                self._begin(rest.strip() or None)
            case "/set":
                self._set(rest.split())
            case "/help" | "/?":
                print(tr(HELP, names=", ".join(PARAMETERS)))
            case _:
                print(tr("there is no {command}; /help lists what there is", command=shlex.quote(command)))

    def _set(self, words: list[str]) -> None:
        if not words:
            print(", ".join(f"{name} {value}" for name, value in self._sampling.items()) or tr("nothing is set"))
            return
        try:
            name, value = words
            self._sampling = self._sampling | {name: PARAMETERS[name](value)}
        except (KeyError, ValueError):
            print(tr("write /set NAME VALUE, where NAME is one of {names}", names=", ".join(PARAMETERS)))
