"""What the place in front shows, and every key that works there."""

from textual.content import Content

from appliance.words import tr
from tui.screens.place import Place

from .reader import Reader


class Help(Reader):
    """Explains a place: its purpose, its own keys, and those that work everywhere."""

    def __init__(self, place: Place) -> None:
        super().__init__(tr("Help"), _explanation(place))


def _explanation(place: Place) -> Content:
    own = [(place.app.get_key_display(each), each.tooltip or each.description) for each in place.offers()]
    everywhere = [
        ("1-8, F1-F8", tr("go to a place")),
        ("↑ ↓ PgUp PgDn", tr("move")),
        ("Tab", tr("go to the next part of the place")),
        ("Ctrl+P", tr("find anything by typing")),
        ("?", tr("this help")),
        ("q", tr("leave; the box goes on")),
    ]
    parts = [Content(tr(place.EXPLAINS)), _keys(tr("Here"), own), _keys(tr("Everywhere"), everywhere)]
    return Content("\n\n").join([part for part in parts if part.plain])


def _keys(title: str, keys: list[tuple[str, str]]) -> Content:
    if not keys:
        return Content("")
    width = max(len(key) for key, _ in keys)
    lines = [Content.assemble(("  " + key.ljust(width), "$primary"), "  ", text) for key, text in keys]
    return Content("\n").join([Content.styled(title, "bold"), *lines])
