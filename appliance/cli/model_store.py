"""`appliance models alias|versions|rollback|gc|scrub`: names, versions and health of what is stored."""

import argparse
from datetime import datetime

from appliance.core.store import CollectedGarbage, GarbageItem, ModelVersion, ModelVersions
from appliance.core.units import format_bytes
from appliance.words import tr

from .arguments import Group, add_command
from .context import Context
from .exits import DONE, WRONG_USAGE, CommandError
from .follow import follow
from .output import print_json, table

ALIAS_DESCRIPTION = """
Let one more name mean what a model's name means now, without another copy of its files. The alias stays with these
files when the model's own name gets others, and may be given again: programs that ask for 'qwen3:stable' get the files
that you have tried.
"""
VERSIONS_DESCRIPTION = """
List what a name means and has meant. Each time a name gets other files, the former ones stay as a version until
'appliance models gc' deletes all but the newest of them (models.keep_versions in the settings).
"""
ROLLBACK_DESCRIPTION = """
Let a name mean again what it meant before: the version before the current one, or the one that --to names. Answers
under way end with the files that they began with; the next request loads the others. Nothing is deleted, so --to leads
back, too.
"""
GC_DESCRIPTION = """
Delete what belongs to no model: copies and compiled folders that nothing refers to, what killed processes left,
downloads that nobody has gone on with for a week, and former versions beyond the newest. Files that were adopted where
they lie are never touched, nor is what is being downloaded.
"""
SCRUB_DESCRIPTION = """
Read installed models again from the disk and compare them with the digests that they were taken in with, as a job of
the daemon. What has changed without being written to is bit rot: such a model is shown as damaged and not loaded any
more; nothing is deleted.
"""
_KINDS = {
    "version": "former version",
    "blob": "copy",
    "partial": "left over",
    "upload": "upload",
    "links": "links",
    "compiled": "compiled",
    "download": "download",
}


def register(commands: Group) -> None:
    """Add the commands to the group `models`."""
    examples = "appliance models alias qwen3-0.6b qwen3:stable"
    alias = add_command(commands, "alias", _alias, "let one more name mean a model", ALIAS_DESCRIPTION, examples)
    alias.add_argument("name", metavar="NAME", help="the model's name, as 'appliance models list' shows it")
    alias.add_argument("alias", metavar="NEW", help="the other name: [publisher/]name[:tag]")
    examples = "appliance models versions qwen3:stable"
    versions = add_command(
        commands, "versions", _versions, "list what a name has meant", VERSIONS_DESCRIPTION, examples
    )
    versions.add_argument("name", metavar="NAME", help="the model's name")
    examples = "appliance models rollback qwen3:stable\nappliance models rollback qwen3:stable --to 1"
    rollback = add_command(
        commands, "rollback", _rollback, "let a name mean what it meant before", ROLLBACK_DESCRIPTION, examples
    )
    rollback.add_argument("name", metavar="NAME", help="the model's name")
    rollback.add_argument("--to", type=int, metavar="N", help="the number of the version (default: the one before)")
    examples = "appliance models gc --dry-run\nappliance models gc --keep-versions 0"
    gc = add_command(commands, "gc", _gc, "delete what belongs to no model", GC_DESCRIPTION, examples)
    gc.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    help_ = "former versions to keep of each name (default: models.keep_versions in the settings)"
    gc.add_argument("--keep-versions", type=int, metavar="N", help=help_)
    examples = "appliance models scrub\nappliance models scrub qwen3-0.6b --limit 50"
    scrub = add_command(commands, "scrub", _scrub, "find bit rot", SCRUB_DESCRIPTION, examples)
    scrub.add_argument("name", nargs="?", metavar="NAME", help="only this model (default: all)")
    scrub.add_argument("--limit", type=float, metavar="MB/S", help="read so many megabytes a second at most")
    scrub.add_argument("--detach", action="store_true", help="do not wait for the end")


def _alias(arguments: argparse.Namespace, context: Context) -> int:
    # Imported here, as below: the stores are only needed without a daemon.
    from .offline import daemon_or_files

    model = daemon_or_files(context).alias(arguments.name, arguments.alias)
    if context.is_json:
        print_json(model)
    else:
        again = tr(", version {version}", version=model.version) if model.version > 1 else ""
        print(tr("'{alias}' is '{name}' now{again}", alias=model.name, name=arguments.name, again=again))
        if model.name_note is not None:
            print(tr("note: {note}", note=model.name_note))
    return DONE


def _versions(arguments: argparse.Namespace, context: Context) -> int:
    from .offline import daemon_or_files

    _show_versions(daemon_or_files(context).versions(arguments.name), context)
    return DONE


def _rollback(arguments: argparse.Namespace, context: Context) -> int:
    from .offline import daemon_or_files

    versions = daemon_or_files(context).roll_back(arguments.name, arguments.to)
    if not context.is_json:
        current = next(version for version in versions.versions if version.is_current)
        print(tr("'{model}' is version {number} again", model=versions.model, number=current.number))
    _show_versions(versions, context)
    return DONE


def _show_versions(versions: ModelVersions, context: Context) -> None:
    if context.is_json:
        print_json(versions)
    else:
        headers = ("VERSION", "SIZE", "DIGEST", "ADDED", "FROM", "")
        print(table(headers, map(_version_row, versions.versions), right=headers[:2]))


def _version_row(version: ModelVersion) -> tuple[str, ...]:
    added = f"{datetime.fromtimestamp(version.added_s).astimezone():%Y-%m-%d %H:%M}"
    notes = (*(("current",) if version.is_current else ()), *version.problems)
    return (
        str(version.number),
        format_bytes(version.size_bytes),
        version.digest.removeprefix("sha256:")[:12],
        added,
        version.source or "-",
        ", ".join(notes),
    )


def _gc(arguments: argparse.Namespace, context: Context) -> int:
    from .offline import daemon_or_files

    if arguments.keep_versions is not None and not 0 <= arguments.keep_versions <= 1000:
        raise CommandError(tr("--keep-versions is a number from 0 to 1000"), WRONG_USAGE)
    store = daemon_or_files(context)
    collected = store.collect_garbage(is_dry_run=arguments.dry_run, keep_versions=arguments.keep_versions)
    if context.is_json:
        print_json(collected)
        return DONE
    if collected.items:
        print(table(("WHAT", "NAME", "SIZE"), map(_garbage_row, collected.items), right=("SIZE",)))
    print(_sum_of(collected))
    return DONE


def _garbage_row(item: GarbageItem) -> tuple[str, ...]:
    return (tr(_KINDS[item.kind]), item.name, format_bytes(item.size_bytes) if item.size_bytes else "-")


def _sum_of(collected: CollectedGarbage) -> str:
    unreadable = "; {number} manifests cannot be read, so every copy stays (appliance doctor says more)"
    rest = tr(unreadable, number=collected.num_unreadable) if collected.num_unreadable else ""
    if not collected.items:
        return tr("nothing to delete") + rest
    size = format_bytes(collected.size_bytes)
    return tr("{size} would be freed" if collected.is_dry_run else "{size} freed", size=size) + rest


def _scrub(arguments: argparse.Namespace, context: Context) -> int:
    if arguments.limit is not None and arguments.limit <= 0:
        raise CommandError(tr("--limit is a number of megabytes a second above 0"), WRONG_USAGE)
    client = context.client()
    max_bytes_per_s = None if arguments.limit is None else arguments.limit * 1e6
    job = client.scrub(arguments.name, max_bytes_per_s)
    if not arguments.detach:
        return follow(context, client, job)
    if context.is_json:
        print_json(job)
    else:
        print(tr("{id} is {state}; follow it: appliance jobs follow {id}", id=job.id, state=tr(job.state)))
    return DONE
