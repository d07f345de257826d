"""What is refused first, and what never."""

from services.catalog.access import ACCESS
from services.catalog.limits.costs import COSTS
from services.catalog.limits.shedding import PATIENCE_SECONDS, Rank, rank_of


def test_patience_is_in_the_order_of_need() -> None:
    order = [Rank.ADMIN, Rank.WRITE, Rank.READ, Rank.SEARCH, Rank.REPORT]
    assert sorted(PATIENCE_SECONDS, key=lambda rank: -PATIENCE_SECONDS[rank]) == order
    assert len(set(PATIENCE_SECONDS.values())) == len(Rank)


def test_routes_have_the_rank_of_what_they_do() -> None:
    ranks = {
        ("GET", "/api/admin/monitoring"): Rank.ADMIN,
        ("POST", "/api/admin/jobs"): Rank.ADMIN,
        ("GET", "/api/admin/reports"): Rank.REPORT,
        ("POST", "/api/vendor/reports"): Rank.REPORT,
        ("POST", "/api/vendor/products"): Rank.WRITE,
        ("POST", "/api/orders"): Rank.WRITE,
        ("GET", "/api/products/{id}"): Rank.READ,
        ("HEAD", "/api/products"): Rank.SEARCH,
        ("POST", ""): Rank.READ,
    }
    assert {row: rank_of(*row) for row in ranks} == ranks


def test_every_row_of_the_costs_is_a_route() -> None:
    assert set(COSTS) <= set(ACCESS)
