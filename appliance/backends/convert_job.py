"""The child process of the job `convert`: a folder of float weights in, a model out, in one format or the other."""

from pathlib import Path

import msgspec

from appliance.backends.job_arguments import ConvertArguments
from appliance.backends.made_model import MadeModel, MadeModels, with_origin
from appliance.child import Reporter, run_child
from appliance.errors import InvalidRequest, ModelNotFound
from models.store.store import ModelStore


def convert(arguments: ConvertArguments, report: Reporter) -> MadeModel | MadeModels:
    """Do the job. Each format's library is imported only for it. Raises: ApplianceError."""
    return with_origin(_convert(arguments, report), arguments.model, report.home)


def _convert(arguments: ConvertArguments, report: Reporter) -> MadeModel | MadeModels:
    folder, stem = _folder_of(arguments.model, report.home)
    if arguments.is_gguf:
        from appliance.backends.llama_cpp.convert_job import convert_folder

        return convert_folder(folder, stem, arguments, report)
    from appliance.backends.onnx.convert_job import convert as convert_to_onnx

    order = arguments.as_onnx()
    name = order.name or f"{stem}-{order.precision}"
    return convert_to_onnx(msgspec.structs.replace(order, model=str(folder), name=name), report)


def _folder_of(model: str, home: Path) -> tuple[Path, str]:
    """Return the folder, and what to call things made of it. Raises: ModelNotFound, InvalidRequest."""
    if model.startswith("/"):
        return Path(model), Path(model).name
    store = ModelStore(home)
    manifest = store.get(model)
    if manifest is None:
        raise ModelNotFound(f"there is no folder {model!r} here, and no model is called so", param="model")
    if manifest.format != "safetensors":
        raise InvalidRequest(
            f"{model!r} is {manifest.format}; what is converted is a folder of float weights in safetensors",
            param="model",
        )
    return store.opened_path(manifest).parent, manifest.name.rpartition("/")[2]


if __name__ == "__main__":
    run_child(convert, ConvertArguments)
