"""`appliance doctor clients`: what other programs send, sent to the running box, and which of them will work."""

import argparse
import shutil

from appliance.words import tr
from appliance.words.width import fill, ljust

from .arguments import Group, add_command
from .clients.replay.judge import Verdict, judge
from .clients.replay.script import Script, load_scripts
from .clients.replay.send import replay
from .context import Context
from .exits import DONE, FAILED, WRONG_USAGE, CommandError
from .output import print_json, printable

DESCRIPTION = """
Send to the running box what other programs send to it, and say which of them will work with a model, and why not:
streams, tools, tools of types that nobody knows, token arrays, a num_ctx that grows, a doubled /v1, lines that change
with every request. Nothing is written; each program takes a few short answers of the model.

'partly' means that what fails is not what the program is mostly used for. The exit code is 1 when a program that was
named does not work.
"""
EXAMPLES = """
appliance doctor clients
appliance doctor clients --model qwen3
appliance doctor clients codex claude-code --json
"""
_WIDTHS = (13, 8)


def register(group: Group) -> None:
    """Add the command below `doctor`."""
    parser = add_command(group, "clients", _run, "which programs work with a model", DESCRIPTION, EXAMPLES)
    parser.add_argument("clients", metavar="CLIENT", nargs="*", help="only these programs, such as 'codex'")
    parser.add_argument("--model", metavar="NAME", help="the model that they would use; default: the default model")


def _run(arguments: argparse.Namespace, context: Context) -> int:
    daemon = context.client()
    model = daemon.model(arguments.model or daemon.status().default_model)
    scripts = _chosen(load_scripts(model.name), arguments.clients)
    if not context.is_json:
        print(_row(tr("CLIENT"), tr("WORKS"), tr("WHY NOT, WITH {model}", model=model.name)))
    verdicts = []
    for script in scripts:
        # Loaded by the first of them, the model has its context then
        answers = list(replay(script, daemon.url, context.key, model.capabilities))
        context_tokens = daemon.model(model.name).context_tokens
        verdict = judge(script, answers, context_tokens=context_tokens, capabilities=model.capabilities)
        verdicts.append(verdict)
        if not context.is_json:
            print("\n".join(_lines(verdict)), flush=True)
    if context.is_json:
        print_json({"model": model.name, "clients": verdicts})
    is_bad = bool(arguments.clients) and any(verdict.works == "no" for verdict in verdicts)
    return FAILED if is_bad else DONE


def _chosen(scripts: tuple[Script, ...], names: list[str]) -> tuple[Script, ...]:
    known = {script.client: script for script in scripts}
    if unknown := [name for name in names if name not in known]:
        problem = tr("{name!r} is not known; known are {names}", name=unknown[0], names=", ".join(known))
        raise CommandError(problem, WRONG_USAGE)
    return tuple(known[name] for name in dict.fromkeys(names)) if names else scripts


def _lines(verdict: Verdict) -> list[str]:
    margin = " " * sum(_WIDTHS)
    width = max(60, min(120, shutil.get_terminal_size((100, 24)).columns)) - len(margin)
    reasons = [
        line
        for reason in verdict.reasons
        for line in fill(printable(reason), width, subsequent_indent="  ", keeps_words=True).splitlines()
    ]
    first, *rest = reasons or [""]
    return [_row(verdict.client, tr(verdict.works), first), *(margin + line for line in rest)]


def _row(client: str, works: str, reason: str) -> str:
    return f"{ljust(client, _WIDTHS[0])}{ljust(works, _WIDTHS[1])}{reason}".rstrip()
