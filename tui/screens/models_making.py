"""What can be made of a model and learned about it: smaller ones, other formats, names, versions, speeds, reasons."""

from appliance.client import Client
from appliance.core.jobs import JsonObject
from appliance.core.settings_view import ChangeSettings
from appliance.words import tr
from tui.dialogs.ask import Ask
from tui.dialogs.pick import Pick
from tui.dialogs.sheet import Sheet

from .models_entries import Entry
from .models_orders import ModelOrders
from .models_words import size

_FLOATS = ("F32", "F16", "BF16", None)
_DEFAULT_KEY = "models.default_model"


class ModelMaking(ModelOrders):
    """Asks what is needed for it, and gives the order."""

    def action_explain(self) -> None:
        """Show what would run a model, and why not otherwise."""
        if (entry := self.chosen) is not None:
            self.attempt(self._explain(entry.name))

    def action_quantize(self) -> None:
        """Make smaller models of one, or only measure what that would cost."""
        if (entry := self.chosen) is not None:
            self.attempt(self._quantize(entry))

    def action_quality(self) -> None:
        """Show what was measured of the types of a model."""
        if (entry := self.chosen) is not None:
            self.attempt(self._quality(entry))

    def action_convert(self) -> None:
        """Make a model of another format."""
        if (entry := self.chosen) is not None:
            self.attempt(self._convert(entry.name))

    def action_compile(self) -> None:
        """Make a model ready for this processor."""
        if (entry := self.chosen) is not None:
            self.attempt(self._compile(entry))

    def action_measure(self) -> None:
        """Measure how fast a model is in each way of running it."""
        if (entry := self.chosen) is not None:
            self.attempt(self._measure(entry.name))

    def action_verify(self) -> None:
        """Compare a model's files with their digests."""
        if (entry := self.chosen) is not None:
            self.attempt(self._verify(entry.name))

    def action_alias(self) -> None:
        """Let one more name mean a model."""
        if (entry := self.chosen) is not None:
            self.attempt(self._alias(entry.name))

    def action_versions(self) -> None:
        """Let a name mean again what it meant before."""
        if (entry := self.chosen) is not None:
            self.attempt(self._versions(entry.name))

    def action_default(self) -> None:
        """Let a model answer who names none."""
        if (entry := self.chosen) is not None:
            self.attempt(self._default(entry.name))

    def action_clean(self) -> None:
        """Delete what belongs to no model."""
        self.attempt(self._clean())

    async def _explain(self, name: str) -> None:
        from .models_pages import explanation  # as below: a page is only needed once somebody asks for it

        found = await self.box.ask(lambda client: client.explain(name))
        await self.host.ask_person(Sheet(explanation(found)))

    async def _quantize(self, entry: Entry) -> None:
        from .models_pages import types

        model = entry.model
        if model is None:
            return
        is_quantized = model.format == "gguf" and model.quantization not in _FLOATS
        says = tr("It is compared with the original, and kept only if it lost little. The sizes are estimates.")
        if is_quantized:
            says = tr("It is quantized already, so it loses twice. Make it of the original if you can.")
        is_graph = model.format == "onnx"
        chosen = await self.host.ask_person(Sheet(types(model, says=says), chooses="one" if is_graph else "some"))
        if not chosen:
            return
        kind: str | None = "quantize"
        if not is_graph:
            choices = (
                ("quantize", tr("make them, and keep what lost little")),
                ("evaluate", tr("only measure: size, loss and speed; keep nothing")),
            )
            kind = await self.host.ask_person(Pick(f"{entry.name}: {', '.join(chosen)}", choices))
        if kind is not None:
            order: JsonObject = {"model": entry.name, "to": list(chosen), "force": is_quantized}
            self.take(await self.box.ask(lambda client: client.submit_job(kind, order)))

    async def _quality(self, entry: Entry) -> None:
        from .models_pages import quality, table_of

        found = table_of(self.known.jobs.values(), entry.name)
        if found is None:
            self.app.notify(tr("Nothing is measured of its types yet: z measures or makes them."), timeout=6)
        else:
            await self.host.ask_person(Sheet(quality(found)))

    async def _convert(self, name: str) -> None:
        choices = (
            ("gguf", tr("GGUF, its floats as they are")),
            ("Q8_0", tr("GGUF in Q8_0: half the size, hardly any loss")),
            ("Q4_K_M", tr("GGUF in Q4_K_M: about a quarter of the size")),
            ("int8", tr("ONNX in int8; needs a large environment the first time")),
            ("int4", tr("ONNX in int4; needs a large environment the first time")),
        )
        how = await self.host.ask_person(Pick(tr("Convert {model}", model=name), choices))
        if how is not None:
            order: JsonObject = {"model": name, **({"to": how} if how == "gguf" else {"precision": how})}
            self.take(await self.box.ask(lambda client: client.submit_job("convert", order)))

    async def _compile(self, entry: Entry) -> None:
        number = entry.model.num_parameters if entry.model is not None else None
        beside = "" if number is None else f"  ~{size(number * 8.5 / 8)}"
        less = "" if number is None else f"  ~{size(number * 4.5 / 8)}"
        choices = (
            ("auto", tr("as it is: Q4_0 and Q8_0 keep their weights, others get 8 bits")),
            ("8", tr("8 bits: a little less exact") + beside),
            ("4", tr("4 bits: smaller and faster, loses more") + less),
        )
        how = await self.host.ask_person(Pick(tr("Compile {model}", model=entry.name), choices))
        if how is not None:
            bits = {"8": 8, "4": 4}.get(how)
            self.take(await self.box.ask(lambda client: client.compile_model(entry.name, bits)))  # type: ignore[arg-type]  # 8, 4 or none

    async def _measure(self, name: str) -> None:
        ordered = await self.box.ask(lambda client: client.calibrate_model(name))
        for job in ordered.jobs:
            self.take(job)
        if ordered.waits_for:
            self.app.notify(ordered.waits_for, timeout=6)

    async def _verify(self, name: str) -> None:
        self.take(await self.box.ask(lambda client: client.scrub(name)))

    async def _alias(self, name: str) -> None:
        says = tr("One more name for these files, without another copy: [publisher/]name[:tag]")
        dialog = Ask(tr("An alias for {model}", model=name), says, placeholder=f"{name.partition(':')[0]}:stable")
        alias = await self.host.ask_person(dialog)
        if alias:
            made = await self.box.ask(lambda client: client.alias(name, alias))
            self.app.notify(tr("{alias} is {model} now", alias=made.name, model=name))
            self.renew_soon()

    async def _versions(self, name: str) -> None:
        from .models_pages import versions

        found = await self.box.ask(lambda client: client.versions(name))
        chosen = await self.host.ask_person(Sheet(versions(found), chooses="one"))
        current = next((str(each.number) for each in found.versions if each.is_current), None)
        if chosen and chosen[0] != current:
            number = int(chosen[0])
            said = tr("{model} is version {number} now", model=name, number=number)
            self.order(lambda client: client.roll_back(name, number), said)

    async def _default(self, name: str) -> None:
        changed = await self.box.ask(lambda client: client.change_settings(ChangeSettings(set={_DEFAULT_KEY: name})))
        effects = {change.takes_effect: change.overridden_by for change in changed.changes}
        if "overridden" in effects:
            by = effects["overridden"]
            said = tr("written down; {source} goes before it, so it counts only without that", source=by)
        elif "restart" in effects:
            said = tr("{model} is the default model from the next start on", model=name)
        else:
            said = tr("{model} is the default model", model=name)
        self.app.notify(said, timeout=6)

    async def _clean(self) -> None:
        from .models_pages import garbage

        found = await self.box.ask(lambda client: client.collect_garbage(is_dry_run=True))
        if not found.items:
            self.app.notify(tr("There is nothing that belongs to no model."))
            return
        question = tr("Free {size} that belong to no model?", size=size(found.size_bytes))
        if await self.is_sure(question, garbage(found), tr("Delete")):
            freed = await self.box.ask(Client.collect_garbage)
            self.app.notify(tr("{size} freed", size=size(freed.size_bytes)))
            self.renew_soon()
