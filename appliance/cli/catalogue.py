"""`appliance models search|recommend|catalogue`: models that could be had, and the signed catalogues of others."""

import argparse
from pathlib import Path
from typing import get_args

from appliance.core.catalogue import CatalogueAnswer, CatalogueItem, Purpose
from appliance.core.units import format_bytes
from appliance.words import tr
from appliance.words.width import fill

from .arguments import Group, Parser, add_command, add_parser
from .context import Context
from .exits import DONE, REFUSED, CommandError
from .output import count, print_json, printable, table

SEARCH_DESCRIPTION = """
List the models of the catalogue that carry all the words, the best for this machine first. The size is the memory with
a context of 8192 tokens, the speed a prediction.
"""
SEARCH_EXAMPLES = """
appliance models search
appliance models search qwen tools
appliance models search --purpose embeddings --language zh
"""
RECOMMEND_DESCRIPTION = """
Say which models of the catalogue suit this machine best, and why: what they can do, whether memory and speed suffice,
their licence, and how well tried they are.

Speeds are predicted; with --measure the memory is read on all cores for a second first, which makes them better.
"""
RECOMMEND_EXAMPLES = """
appliance models recommend
appliance models recommend --purpose code
appliance models recommend --purpose embeddings --language zh --measure
"""
CATALOGUE_DESCRIPTION = """
Use a catalogue of your own, or that of somebody whose key you trust. It is a TOML file like those that come with the
appliance, beside it a signature in minisign's form; what is not signed by a key in models.catalogue_keys is refused,
and every signature is checked again whenever the catalogue is read.

A key of your own is made with: openssl genpkey -algorithm ed25519 -out FILE
"""
CATALOGUE_EXAMPLES = """
appliance models catalogue sign ours.toml --key catalogue.key
appliance models catalogue verify ours.toml
appliance models catalogue import ours.toml
"""
HEADERS = ("NAME", "PARAMS", "QUANT", "MEMORY", "TOKENS/S", "LICENCE", "MADE FOR", "")
_NUM_RECOMMENDED = 5
_DAEMON_TIMEOUT_S = 60.0
_WIDTH, _INDENT = 100, "  "


def register(commands: Group) -> None:
    """Add the commands to the group `models`."""
    description = "list models that could be had"
    search = add_command(commands, "search", _search, description, SEARCH_DESCRIPTION, SEARCH_EXAMPLES)
    search.add_argument("words", nargs="*", metavar="WORD", help="what their name, publisher or description carries")
    _add_wish(search)
    description = "say which models suit this machine"
    wanted = add_command(commands, "recommend", _recommend, description, RECOMMEND_DESCRIPTION, RECOMMEND_EXAMPLES)
    _add_wish(wanted)
    group = add_parser(commands, "catalogue", "use signed catalogues", CATALOGUE_DESCRIPTION, CATALOGUE_EXAMPLES)
    verbs = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for verb, run, summary in (
        ("verify", _verify, "check a catalogue and its signature"),
        ("import", _import, "take a signed catalogue in"),
        ("sign", _sign, "sign a catalogue with your key"),
    ):
        more = " --key catalogue.key" if verb == "sign" else ""
        examples = f"appliance models catalogue {verb} ours.toml{more}"
        parser = add_command(verbs, verb, run, summary, CATALOGUE_DESCRIPTION, examples)
        parser.add_argument("file", type=Path, metavar="FILE", help="the catalogue; its signature lies beside it")
        if verb == "sign":
            parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="an Ed25519 key in PEM")
            parser.add_argument("--comment", default="", metavar="TEXT", help="what is signed with it, for the reader")


def _add_wish(parser: Parser) -> None:
    purposes = get_args(Purpose)
    help_ = tr("what it is wanted for: {purposes} (recommend: chat)", purposes=", ".join(purposes))
    parser.add_argument("--purpose", choices=purposes, metavar="PURPOSE", help=help_)
    parser.add_argument("--language", metavar="CODE", help="the language it shall speak, such as en or zh")
    parser.add_argument("--measure", action="store_true", help="measure the memory first, for a second on all cores")


def _search(arguments: argparse.Namespace, context: Context) -> int:
    answer = _ask(arguments, context, arguments.purpose, " ".join(arguments.words))
    if context.is_json:
        print_json(answer)
    elif not answer.models:
        print(tr("no model of the catalogue is meant by that; see them all: appliance models search"))
    else:
        print(table(HEADERS, map(_row, answer.models), right=HEADERS[1:2] + HEADERS[3:5]))
    return DONE


def _recommend(arguments: argparse.Namespace, context: Context) -> int:
    answer = _ask(arguments, context, arguments.purpose or "chat", "")
    if context.is_json:
        print_json(answer)
        return DONE
    best = [item for item in answer.models if item.rank is not None][:_NUM_RECOMMENDED]
    if not best:
        nothing = tr("no model of the catalogue is fit for that here; see why: appliance models search")
        raise CommandError(nothing, REFUSED)
    for place, item in enumerate(best, 1):
        here = tr("installed") if item.is_installed else f"appliance pull {item.name}"
        whose = tr("{title}, by {publisher}", title=item.title, publisher=item.publisher)
        print(f"{place}. {whose}: {here}")
        for line in (item.judgement, *item.reasons):
            print(fill(printable(line), _WIDTH, initial_indent=_INDENT * 2, subsequent_indent=_INDENT * 3))
    for note in answer.notes:
        print(fill(tr("note: {note}", note=printable(note)), _WIDTH, subsequent_indent=_INDENT))
    return DONE


def _ask(arguments: argparse.Namespace, context: Context, purpose: Purpose | None, query: str) -> CatalogueAnswer:
    # Imported here, as below: not every command needs it.
    from .offline import daemon_or_files

    return daemon_or_files(context).catalogue(
        purpose=purpose, language=arguments.language, query=query, with_bandwidth=arguments.measure
    )


def _row(item: CatalogueItem) -> tuple[str, ...]:
    speed = "-" if item.speed is None else f"{item.speed.decode_tokens_per_s:.3g}"
    mark = tr("installed") if item.is_installed else "" if item.rank is not None else tr("not for this machine")
    return (
        item.name,
        count(item.num_parameters),
        item.quantization or "-",
        "-" if item.memory_bytes is None else format_bytes(item.memory_bytes),
        speed,
        item.licence,
        ", ".join(item.capabilities),
        mark,
    )


def _verify(arguments: argparse.Namespace, context: Context) -> int:
    from models.catalogue.imported import ImportedCatalogues, read_catalogue
    from models.catalogue.signatures import SignatureProblem, read_signature
    from models.errors import StoreError

    from .config import read_settings

    keys = read_settings(context).settings.models.catalogue_keys
    path = arguments.file.expanduser()
    try:
        data = read_catalogue(path)
        entries, signed = ImportedCatalogues(context.home, keys).check(data, read_signature(path))
    except (StoreError, SignatureProblem) as problem:
        raise CommandError(f"{path.name}: {problem}", REFUSED) from None
    names = [entry.model.name for entry in entries]
    if context.is_json:
        print_json({"name": path.name, "models": names, "key": str(signed.key), "comment": signed.comment})
    else:
        comment = f": {printable(signed.comment)}" if signed.comment else ""
        print(tr("{name} is signed by {key}", name=path.name, key=signed.key) + comment)
        print(tr("its models: {names}", names=", ".join(names)))
    return DONE


def _import(arguments: argparse.Namespace, context: Context) -> int:
    from models.catalogue.imported import read_catalogue
    from models.catalogue.signatures import SignatureProblem, read_signature
    from models.errors import StoreError

    from .offline import daemon_or_files

    path = arguments.file.expanduser()
    try:
        data, signature = read_catalogue(path), read_signature(path)
    except (StoreError, SignatureProblem) as problem:
        raise CommandError(f"{path.name}: {problem}", REFUSED) from None
    taken = daemon_or_files(context).import_catalogue(path.name, data.decode(errors="replace"), signature)
    if context.is_json:
        print_json(taken)
    else:
        models = ", ".join(taken.models)
        said = "took in {name}, signed by {key}; its models: {models}"
        print(tr(said, name=taken.name, key=taken.key, models=models))
    return DONE


def _sign(arguments: argparse.Namespace, context: Context) -> int:
    from models.catalogue.catalogue import parse_catalogue
    from models.catalogue.imported import read_catalogue
    from models.catalogue.signatures import SUFFIX, SignatureProblem, sign
    from models.errors import StoreError

    path = arguments.file.expanduser()
    try:
        data = read_catalogue(path)
        parse_catalogue(data)
        text, key = sign(data, arguments.key.expanduser().read_bytes(), arguments.comment or path.name)
    except (StoreError, SignatureProblem) as problem:
        raise CommandError(f"{path.name}: {problem}", REFUSED) from None
    beside = path.with_name(path.name + SUFFIX)
    beside.write_text(text, encoding="utf-8")
    if context.is_json:
        print_json({"signature": str(beside), "key": str(key)})
    else:
        said = 'signed in {name}; who shall trust it sets [models] catalogue_keys = ["{key}"]'
        print(tr(said, name=beside.name, key=key))
    return DONE
