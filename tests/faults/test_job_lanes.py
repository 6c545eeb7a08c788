"""Jobs that wait for a network: beside those that compute, shared by who asks for the same, gone with all they left."""

import asyncio
from pathlib import Path

import msgspec

from appliance.jobs.jobs import Jobs, JobSources
from appliance.jobs.table import JobTable
from appliance.settings import JobsSettings
from tests.faults.live_jobs import end, folders, hanging, on_uvloop, processes_of, running, submit, until
from tests.job_child import ENVIRONMENT, KINDS


@on_uvloop
async def test_what_waits_for_a_network_runs_beside_what_computes_and_has_its_own_limit(tmp_path: Path) -> None:
    async with running(tmp_path) as jobs:
        computing = await submit(jobs, hangs=True)
        fetching = [await submit(jobs, "networking", name=name, hangs=True) for name in ("a", "b", "c")]
        for job_id in (computing, *fetching[:2]):
            await hanging(jobs, job_id)
        assert (await jobs.get(fetching[2])).state == "queued"
        await jobs.cancel(fetching[0])
        await hanging(jobs, fetching[2])


@on_uvloop
async def test_whoever_asks_for_what_is_done_already_gets_the_same_job(tmp_path: Path) -> None:
    async with running(tmp_path) as jobs:
        orders = [submit(jobs, "networking", name="a", hangs=True, log=log) for log in ("one", "two", "three")]
        first, *others = await asyncio.gather(*orders)
        assert {*others} == {first}
        assert await submit(jobs, "networking", name="b") != first
        assert await submit(jobs, "play", name="a") != first
        await hanging(jobs, first)
        await jobs.cancel(first)
        again = await submit(jobs, "networking", name="a")
        assert again != first
        assert (await end(jobs, again)).state == "done"


@on_uvloop
async def test_a_paused_job_that_is_asked_for_again_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path) as jobs:
        first = await submit(jobs, "networking", name="a", hangs=True)
        await hanging(jobs, first)
        await jobs.pause(first)
        assert await submit(jobs, "networking", name="a", hangs=True) == first
        assert (await jobs.get(first)).state == "running"


@on_uvloop
async def test_a_job_that_is_given_up_takes_along_what_it_left_elsewhere_and_one_that_fails_does_not(
    tmp_path: Path,
) -> None:
    seen: list[list[str]] = []

    def discard(folder: Path) -> None:
        seen.append([path.name for path in folder.iterdir()])

    sources = JobSources(kinds=KINDS, environ=ENVIRONMENT, discarders={"networking": discard})
    jobs = Jobs(tmp_path, JobsSettings(), sources, lambda event: None)
    await jobs.start()
    failed = await end(jobs, await submit(jobs, "networking", fails="no room", leaves_file=True))
    assert (failed.state, seen) == ("failed", [])
    given_up = await submit(jobs, "networking", leaves_file=True, hangs=True)
    await hanging(jobs, given_up)
    assert (await jobs.cancel(given_up)).state == "cancelled"
    assert (seen, folders(tmp_path)) == ([["half"]], [])
    await jobs.close()


@on_uvloop
async def test_however_often_daemons_die_while_it_waits_for_a_network_a_job_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path) as jobs:
        job_id = await submit(jobs, "networking", hangs=True)
        await hanging(jobs, job_id)
        interrupted = msgspec.structs.replace(await jobs.get(job_id), num_interruptions=50)
        await jobs.pause(job_id)
    table = JobTable(tmp_path / "state.db")
    table.save([msgspec.structs.replace(interrupted, state="running")])
    table.close()
    async with running(tmp_path) as jobs:
        job = await until(jobs, job_id, lambda job: job.state == "running")
        assert job.num_interruptions == 51
        assert len(processes_of(job_id)) <= 1


class Known(msgspec.Struct):
    """What the daemon tells."""

    token: str


@on_uvloop
async def test_the_settings_of_a_kind_reach_its_child_and_stand_nowhere_else(tmp_path: Path) -> None:
    sources = JobSources(kinds=KINDS, environ=ENVIRONMENT, settings={"networking": Known(token="hush")})
    jobs = Jobs(tmp_path, JobsSettings(), sources, lambda event: None)
    await jobs.start()
    job = await end(jobs, await submit(jobs, "networking", shows_settings=True))
    assert job.result is not None
    assert job.result["name"] == '{"token":"hush"}'
    assert "hush" not in str(job.arguments)
    await jobs.close()
