"""What the jobs api tells Prometheus: read at the scrape, and absent while the database is."""

from uuid import UUID

import aiohttp
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from services.jobs import api as jobs_api
from services.jobs.health.figures import Figures
from services.jobs.health.store import HealthStore
from services.jobs.settings import Settings
from shared.contracts import jobs
from shared.contracts.reports import Outcome
from shared.db.pool import Pool, open_pool
from shared.errors import Unavailable
from shared.messaging.topology import PRIORITIES, WORK_BY_TYPE
from tests.integration.jobs.test_routes import Api, api

__all__ = ["api"]


def told(name: str, label: str) -> dict[tuple[str, str], float]:
    """The samples of a gauge by type and another label."""
    families = text_string_to_metric_families(generate_latest().decode())
    return {
        (sample.labels["type"], sample.labels[label]): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


def ages() -> dict[tuple[str, str], float]:
    return told("souk_jobs_oldest_age_seconds", "priority")


async def test_the_oldest_age_of_each_priority_is_told(api: Api, pool: Pool) -> None:
    figures = Figures(pool, HealthStore())
    await figures.refresh()
    assert ages() == {(kind, str(priority)): 0 for kind in WORK_BY_TYPE for priority in PRIORITIES}
    urgent, usual = await api.job(), await api.job()
    await api.pool.execute("UPDATE jobs.jobs SET priority = 1 WHERE id = $1", UUID(urgent))
    for job_id, seconds in ((urgent, 40), (usual, 90)):
        await api.pool.execute(
            "UPDATE jobs.jobs SET published_at = now() - $2 * interval '1 s' WHERE id = $1", UUID(job_id), seconds
        )
    await figures.refresh()
    found = ages()
    assert 40 <= found["check-low-stock", "1"] < 70
    assert 90 <= found["check-low-stock", "2"] < 120
    assert sum(age > 0 for age in found.values()) == 2


async def test_jobs_are_counted_by_type_and_state(api: Api, pool: Pool) -> None:
    await api.job()
    await api.job(Outcome.STARTED)
    await api.job(Outcome.FAILED)
    await api.job(job=jobs.CleanupCache())
    await Figures(pool, HealthStore()).refresh()
    assert {key: n for key, n in told("souk_jobs", "state").items() if n} == {
        ("check-low-stock", "pending"): 1,
        ("check-low-stock", "processing"): 1,
        ("check-low-stock", "failed"): 1,
        ("cleanup-cache", "pending"): 1,
    }


async def test_no_old_figure_is_told_while_the_database_is_away(pool: Pool) -> None:
    await Figures(pool, HealthStore()).refresh()
    assert ages()
    async with open_pool("postgresql://nobody@127.0.0.1:9/none", name="test") as away:
        with pytest.raises(Unavailable):
            await Figures(away, HealthStore()).refresh()
    assert ages() == {}


async def test_the_api_answers_a_scrape_with_them(settings: Settings, unused_tcp_port: int) -> None:
    at = settings.model_copy(update={"ops_port": unused_tcp_port})
    address = f"http://127.0.0.1:{unused_tcp_port}/metrics"
    async with jobs_api.running(at), aiohttp.ClientSession() as client, client.get(address) as response:
        assert 'souk_jobs_oldest_age_seconds{priority="1",type="send-email"} 0.0' in await response.text()
