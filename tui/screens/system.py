"""The machine and the box itself: hardware, doctor, keys, settings, versions, and bringing it to an end."""

from collections.abc import Iterable
from typing import Any, ClassVar, get_args

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import ContentSwitcher, Input, Static

from appliance.client import Client, ClientError
from appliance.core.admin import KeyInfo, Status
from appliance.core.caller import Scope
from appliance.core.doctor import Finding
from appliance.core.settings_view import ChangeSettings, SettingView
from appliance.words import tr
from tui.dialogs.ask import Ask
from tui.dialogs.pick import Pick
from tui.dialogs.reader import Reader
from tui.widgets.facts import Facts
from tui.widgets.sections import Sections, Title
from tui.widgets.table import Row, Table
from tui.widgets.tones import Toned, to_text, toned

from . import system_rows as rows
from .place import Place
from .system_facts import machine_sections, version_sections

SECTIONS = (
    Title("hardware", "Hardware"),
    Title("doctor", "Doctor"),
    Title("keys", "Keys"),
    Title("settings", "Settings"),
    Title("versions", "Versions"),
)
_OF_SECTION = {
    "copy": ("doctor",),
    "edit": ("settings",),
    "unset": ("settings",),
    "new": ("keys",),
    "revoke": ("keys",),
    "filter": ("settings",),
    "look": ("hardware", "doctor"),
    "bandwidth": ("hardware",),
}
"""Where an action has something to act on; all others are for every section."""


class SystemPlace(Place):
    """Shows one section at a time, asked for when somebody first goes there."""

    CSS_PATH = "system.tcss"
    EXPLAINS = (
        "The machine that the box runs on and what is wrong with it, who may use it, and how it is set. Arrows go from "
        "one section to the next. Settings are written into the box's file; most count from its next start on."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", show=False, priority=True),
        Binding("right", "step(1)", "Next", priority=True, key_display="← →", tooltip="Go to another section"),
        Binding("enter", "copy", "Copy", priority=True, tooltip="Copy the command that mends it"),
        Binding("enter", "edit", "Edit", priority=True, tooltip="Change the setting"),
        Binding("n", "new", "New", tooltip="Make a key"),
        Binding("d", "revoke", "Revoke", tooltip="Make the key invalid"),
        Binding("d", "unset", "Default", tooltip="Give the setting its default again"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("r", "look", "Look again"),
        Binding("b", "bandwidth", "Measure", tooltip="Measure the memory: all cores are busy for a second"),
        Binding("x", "drain", "Stop the box", tooltip="Let what runs finish, then end the daemon", show=False),
        Binding("escape", "clear", show=False),
    ]

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._section = SECTIONS[0].name
        self._known: set[str] = set()
        self._findings: tuple[Finding, ...] = ()
        self._keys: tuple[KeyInfo, ...] = ()
        self._settings: tuple[SettingView, ...] = ()
        self._said: Toned = ""

    def body(self) -> Iterable[Any]:
        """Yield the sections, of which one is seen, above what is said of the chosen row."""
        with Horizontal(id="bar"):
            yield Sections(SECTIONS)
            yield Input(placeholder=tr("filter: press / and type"), id="filter", compact=True)
            yield Static(id="count", markup=False)
        with ContentSwitcher(initial=self._section):
            yield Facts(id="hardware")
            yield Table(rows.FINDING_COLUMNS, id="doctor")
            yield Table(rows.KEY_COLUMNS, id="keys")
            yield Table(rows.SETTING_COLUMNS, id="settings")
            yield Facts(id="versions")
        yield Static(id="said", markup=False)

    def on_mount(self) -> None:
        """Begin with the first section."""
        self.action_section(self._section)

    async def renew(self) -> None:
        """Ask for what the section in front shows."""
        match self._section:
            case "hardware":
                hardware = await self.box.ask(Client.hardware)
                self.query_one("#hardware", Facts).show("", "", machine_sections(hardware))
            case "doctor":
                self._findings = (await self.box.ask(Client.doctor)).findings
            case "keys":
                self._keys = await self.box.ask(Client.keys)
            case "settings":
                self._settings = (await self.box.ask(Client.settings)).settings
        self._known.add(self._section)
        self._show()

    def show_status(self, status: Status) -> None:
        """Show the box itself."""
        if self._section == "versions":
            self.query_one("#versions", Facts).show("", "", version_sections(status))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what the section has something for; the arrows belong to a line that is typed."""
        if action in ("step", "copy", "edit") and isinstance(self.focused, Input):
            return False
        return action not in _OF_SECTION or self._section in _OF_SECTION[action]

    def on_input_changed(self) -> None:
        """Show the settings that hold the text, with every letter that is typed."""
        self._show()

    def on_input_submitted(self) -> None:
        """Go from the filter to the settings."""
        self.query_one("#settings").focus()

    def on_data_table_row_highlighted(self) -> None:
        """Say more of the chosen one."""
        self._say()

    def action_step(self, step: int) -> None:
        """Go to the section beside this one."""
        names = [each.name for each in SECTIONS]
        self.action_section(names[(names.index(self._section) + step) % len(names)])

    def action_section(self, name: str) -> None:
        """Go to a section."""
        self._section = name
        self.show_refusal(None)  # of another section
        self.query_one(Sections).show(name)
        self.query_one(ContentSwitcher).current = name
        self.query_one("#filter").visible = name == "settings"
        self.query_one("#said").set_class(name in ("doctor", "keys", "settings"), "-shown")
        self.query_one(f"#{name}").focus()
        self._show()
        if self.box.status is not None:
            self.show_status(self.box.status)
        if name not in self._known:
            self.renew_soon()
        self.refresh_bindings()

    def action_look(self) -> None:
        """Look over the machine again."""
        self.attempt(self._look())

    def action_bandwidth(self) -> None:
        """Measure how fast memory is read."""
        self.attempt(self._measure())

    def action_filter(self) -> None:
        """Begin to type what the settings must hold."""
        self.query_one(Input).focus()

    def action_clear(self) -> None:
        """Show all settings again."""
        self.query_one(Input).value = ""
        self.query_one(f"#{self._section}").focus()

    def action_copy(self) -> None:
        """Copy the command that mends the chosen finding."""
        finding = self._chosen_finding
        if finding is not None and finding.mend is not None:
            self.app.copy_to_clipboard(finding.mend)
        elif finding is not None:
            self.app.notify(tr("there is no command for this one"), timeout=2)

    def action_edit(self) -> None:
        """Change the chosen setting."""
        if (setting := self._chosen_setting) is not None:
            self.attempt(self._edit(setting))

    def action_unset(self) -> None:
        """Give the chosen setting its default."""
        if (setting := self._chosen_setting) is not None:
            self.attempt(self._change(ChangeSettings(unset=(setting.key,))))

    def action_new(self) -> None:
        """Make a key."""
        self.attempt(self._create_key())

    def action_revoke(self) -> None:
        """Make the chosen key invalid."""
        if (key := self.query_one("#keys", Table).chosen) is not None:
            self.attempt(self._revoke(key))

    def action_drain(self) -> None:
        """Bring the box to its end."""
        self.attempt(self._drain())

    @property
    def _chosen_setting(self) -> SettingView | None:
        key = self.query_one("#settings", Table).chosen
        return next((setting for setting in self._settings if setting.key == key), None)

    @property
    def _chosen_finding(self) -> Finding | None:
        check = self.query_one("#doctor", Table).chosen
        return next((finding for finding in self._findings if finding.check == check), None)

    async def _look(self) -> None:
        self.app.notify(tr("the box looks over itself"), timeout=2)
        await self.renew()

    async def _measure(self) -> None:
        hardware = await self.box.ask(lambda client: client.hardware(with_bandwidth=True))
        self.query_one("#hardware", Facts).show("", "", machine_sections(hardware))

    async def _create_key(self) -> None:
        check = {key.name: tr("there is a key of that name; choose another") for key in self._keys}
        explanation = tr("Who or what is it for? Such as laptop or deploy.")
        name = await self.host.ask_person(Ask(tr("New key"), explanation, check=lambda text: check.get(text)))
        if not name:
            return
        picked = await self.host.ask_person(Pick(tr("What may it do?"), rows.scope_choices(), current="use"))
        scope: Scope | None = next((each for each in get_args(Scope) if each == picked), None)
        if scope is None:
            return
        created = await self.box.ask(lambda client: client.create_key(name, scope))
        title = tr("The key {name}", name=name)
        await self.host.ask_person(Reader(title, rows.created_text(created, self.box.url), copies=created.key))
        await self.renew()

    async def _revoke(self, name: str) -> None:
        consequence = tr("Whoever uses it is refused from now on. Answers under way are finished.")
        if await self.is_sure(tr("Revoke the key {name}?", name=name), consequence, tr("Revoke")):
            await self.box.ask(lambda client: client.revoke_key(name))
            await self.renew()

    async def _edit(self, setting: SettingView) -> None:
        typed = "" if setting.is_secret else rows.as_text(setting, setting.next_value)
        while True:
            answer = await self._asked(setting, typed)
            if answer is None or (answer == typed and not setting.is_secret):
                return
            typed = answer
            try:
                await self._change(ChangeSettings(set={setting.key: typed}))
            except ClientError as error:
                if error.status != 400:
                    raise
                self.complain(error)
            else:
                return

    async def _asked(self, setting: SettingView, typed: str) -> str | None:
        choices = [(choice, choice) for choice in setting.choices]
        if setting.kind == "bool":
            choices = [("true", tr("yes")), ("false", tr("no"))]
        if choices:
            choices += [("none", tr("none ({meaning})", meaning=setting.none_means))] if setting.none_means else []
            return await self.host.ask_person(Pick(setting.key, choices, current=typed))
        explanation = f"{tr(setting.description)}\n{tr('write {accepted}', accepted=setting.accepted)}"
        return await self.host.ask_person(Ask(setting.key, explanation, value=typed, is_secret=setting.is_secret))

    async def _change(self, order: ChangeSettings) -> None:
        changed = await self.box.ask(lambda client: client.change_settings(order))
        for change in changed.changes:
            self.app.notify(rows.changed_sentence(change))
        await self.renew()

    async def _drain(self) -> None:
        consequence = tr(
            "What runs is finished, nothing new begins, then the daemon ends. Here nobody can start it again."
        )
        if await self.is_sure(tr("Stop the box?"), consequence, tr("Stop it")):
            await self.box.ask(Client.drain)
            self.app.notify(tr("the box finishes what runs, then ends"))

    def _show(self) -> None:
        shown: list[Row] = []
        if self._section == "doctor":
            shown = [rows.finding_row(finding) for finding in self._findings]
        elif self._section == "keys":
            shown = [rows.key_row(key) for key in self._keys]
        elif self._section == "settings":
            text = self.query_one(Input).value.strip().lower()
            found = [
                each
                for each in self._settings
                if text in f"{each.key} {tr(each.description)} {tr(each.origin)}".lower()
            ]
            shown = [rows.setting_row(setting) for setting in found]
        else:
            self.query_one("#count", Static).update("")
            return
        self.query_one(f"#{self._section}", Table).show(shown)
        self.query_one("#count", Static).update(str(len(shown)) if self._section in self._known else "")
        self._say()

    def _say(self) -> None:
        said: Toned = ""
        if self._section not in self._known:
            said = toned(tr("the box is asked"), "muted")
        elif self._section == "doctor" and self._chosen_finding is not None:
            said = rows.finding_lines(self._chosen_finding)
        elif self._section == "settings" and self._chosen_setting is not None:
            said = rows.setting_lines(self._chosen_setting)
        elif self._section == "keys":
            said = rows.keys_lines(has_keys=bool(self._keys))
        if said != self._said:
            self._said = said
            self.query_one("#said", Static).update(to_text(said, self.app.theme_variables))
