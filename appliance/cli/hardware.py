"""`appliance hardware`: what this machine is and does, and its capture for a bug report."""

import argparse
import sys
from pathlib import Path

from appliance.core.hardware import Hardware
from appliance.words import tr

from .arguments import Group, add_command
from .context import Context
from .exits import DONE, REFUSED, WRONG_USAGE, CommandError
from .hardware_text import summary
from .output import print_json

DESCRIPTION = """
Show the machine as the appliance sees it: the processor with the instruction sets that decide the speed, memory,
accelerators, disks, and what they do now. It looks itself, needs no daemon and no root; where APPLIANCE_URL names a
daemon, that daemon's machine is shown.

--capture writes the files that were looked at into one readable text, without serial numbers, addresses, ids and host
names, so that a bug report can carry the machine.
"""
EXAMPLES = """
appliance hardware
appliance hardware --bandwidth             measure the memory, too
appliance hardware --json
appliance hardware --capture machine.txt   for a bug report
appliance hardware --capture -             the same on standard output
"""
_DAEMON_TIMEOUT_S = 60.0


def register(group: Group) -> None:
    """Add the command."""
    parser = add_command(group, "hardware", _run, "show what this machine is and does", DESCRIPTION, EXAMPLES)
    parser.add_argument(
        "--bandwidth", action="store_true", help="measure how fast memory is read, on all cores for a second"
    )
    parser.add_argument("--capture", metavar="FILE", help="write this machine into a new text file, '-': to the output")


def _run(arguments: argparse.Namespace, context: Context) -> int:
    if arguments.capture is not None:
        if context.is_json or arguments.bandwidth:
            raise CommandError(tr("--capture writes a text of its own; leave out --json and --bandwidth"), WRONG_USAGE)
        if context.names_daemon:
            raise CommandError(tr("--capture reads the machine it runs on; leave out APPLIANCE_URL there"), REFUSED)
        return _capture(arguments.capture)
    if context.names_daemon:
        client = context.client(read_timeout_s=_DAEMON_TIMEOUT_S)
        hardware = client.hardware(with_bandwidth=arguments.bandwidth)
    else:
        hardware = _look(with_bandwidth=arguments.bandwidth)
    if context.is_json:
        print_json(hardware)
    else:
        print("\n".join(summary(hardware)))
    return DONE


def _look(*, with_bandwidth: bool) -> Hardware:
    # Imported here: with a daemon that was named, nothing of it is needed.
    from appliance.hardware.probe import probe
    from appliance.hardware.readings import ReadingsProbe

    snapshot = probe()
    bandwidth = None
    if with_bandwidth:
        from appliance.hardware.bandwidth import measure_bandwidth

        bandwidth = measure_bandwidth(snapshot.processor.usable_cores)
    return Hardware(snapshot=snapshot, readings=ReadingsProbe().read(), bandwidth=bandwidth)


def _capture(name: str) -> int:
    from appliance.hardware.capture import capture, tool_outputs

    captured = capture(outputs=tool_outputs())
    if name == "-":
        print(captured.text, end="")
    else:
        path = Path(name).expanduser()
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(captured.text)
        except FileExistsError:
            message = tr("{path} is there already and was left as it is; choose another name", path=path)
            raise CommandError(message, REFUSED) from None
    where = "" if name == "-" else tr(" in {name}", name=name)
    removed = ", ".join(f"{number} {kind}" for kind, number in captured.num_removed.items()) or tr("nothing had to be")
    said = "{number} files of this machine are{where}; taken out: {removed}."
    print(tr(said, number=captured.num_files, where=where, removed=removed), file=sys.stderr)
    print(tr("Serial numbers and addresses were not read. Look through it before you publish it."), file=sys.stderr)
    return DONE
