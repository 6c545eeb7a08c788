"""A small daemon that only pulls: the real jobs, store and child processes, without models in memory or HTTP."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from appliance.backends.registry import WORKSHOPS
from appliance.core.pulls import PullModel
from appliance.jobs.jobs import Jobs, JobSources
from appliance.service.pull_order import PULL, PullSettings
from appliance.service.pulls import Pulls
from appliance.settings import JobsSettings
from models.fetch.downloads import Downloads
from models.manifest import ModelManifest
from models.sources.opening import SourceSettings
from models.store.store import ModelStore
from tests.job_child import ENVIRONMENT


class NoCare:
    """Stands where the daemon takes care of models in memory: there are none."""

    def renew(self, canonical: str) -> None: ...

    async def adopted(self, manifest: ModelManifest) -> AsyncIterator[float]:
        yield 1.0


async def pull(home: Path, endpoint: str, reference: str) -> str:
    """Go on with the job that the last daemon left, or begin one, and return how it ended."""
    store = ModelStore(home, WORKSHOPS)
    store.clean()
    pulls = Pulls(store, NoCare(), Downloads(home / "downloads"))  # type: ignore[arg-type]  # of the care it needs two calls
    sources = JobSources(
        kinds=(PULL,),
        finishers={PULL.name: pulls.keep},
        discarders={PULL.name: pulls.discard},
        settings={PULL.name: PullSettings(sources=SourceSettings(hugging_face_endpoint=endpoint))},
        environ=ENVIRONMENT,
    )
    jobs = Jobs(home, JobsSettings(), sources, lambda event: None)
    await jobs.start()
    job = await jobs.submit(PULL.name, PullModel(model=reference), "tester")
    print("started", flush=True)
    *_, ended = [news async for news in jobs.follow(job.id)]
    await jobs.close()
    return ended.state if ended.error is None else f"{ended.state}: {ended.error.message}"


if __name__ == "__main__":
    print(asyncio.run(pull(Path(sys.argv[1]), *sys.argv[2:])), flush=True)
