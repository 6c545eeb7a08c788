"""The sensors that a driver shows beside its device (`device/hwmon/hwmon*`)."""

from appliance.hardware.files import Tree


def hwmon_folders(tree: Tree, device_folder: str) -> list[str]:
    """Return the folders of the device's sensors."""
    return [f"{device_folder}/hwmon/{name}" for name in tree.list_dir(f"{device_folder}/hwmon")]


def first_int(tree: Tree, folders: list[str], *names: str) -> int | None:
    """Return the number in the first of the files `names` that is in one of the folders and can be read."""
    values = (tree.read_int(f"{folder}/{name}") for name in names for folder in folders)
    return next((value for value in values if value is not None), None)
