"""The child process of the job `scrub`: reads models from the disk and compares them with their digests."""

import time

from appliance.child import Reporter, run_child
from appliance.core.store import ScrubModels
from appliance.errors import ModelNotFound
from models.store.scrub import ScrubReport, scrub
from models.store.store import ModelStore


def work(arguments: ScrubModels, report: Reporter) -> ScrubReport:
    """Do the job. Raises: ModelNotFound."""
    store = ModelStore(report.home)
    manifests = store.list()
    if arguments.model is not None:
        manifest = store.get(arguments.model)
        if manifest is None:
            raise ModelNotFound(f"no model is called {arguments.model!r}; see: appliance models list", param="model")
        manifests = [manifest]

    def tell(text: str, done_bytes: int, total_bytes: int) -> None:
        report.progress(f"reading {text}", done_bytes, total_bytes, "bytes")

    return scrub(manifests, arguments.max_bytes_per_s, tell, time.time())


if __name__ == "__main__":
    run_child(work, ScrubModels)
