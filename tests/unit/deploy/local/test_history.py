"""The generator of sales."""

from collections import Counter
from datetime import date, timedelta
from uuid import UUID

from deploy.local.catalogue.history import CANCELLED, ForSale, PastOrder, history

PRODUCTS = [ForSale(UUID(int=n), UUID(int=100 + n % 5), f"Lamp {n}", 1000 + n, "EUR") for n in range(1, 41)]
FIRST, LAST = date(2025, 1, 1), date(2025, 12, 31)


def a_year(seed: int = 7) -> list[PastOrder]:
    return list(history(PRODUCTS, first=FIRST, last=LAST, orders_a_day=20, seed=seed))


def test_the_same_seed_gives_the_same_history() -> None:
    assert a_year() == a_year()
    assert a_year() != a_year(seed=8)


def test_orders_come_in_time_and_inside_the_period() -> None:
    orders = a_year()
    times = [order.placed_at for order in orders]
    assert times == sorted(times)
    assert (times[0].date(), times[-1].date()) >= (FIRST, LAST - timedelta(days=1))
    assert all(order.cancelled_at is None or order.cancelled_at > order.placed_at for order in orders)
    assert all(len({line.product for line in order.lines}) == len(order.lines) for order in orders)


def test_it_has_the_shape_of_a_market() -> None:
    orders = a_year()
    assert 0.8 * 365 * 20 < len(orders) < 1.4 * 365 * 20
    by_weekday = Counter(order.placed_at.weekday() for order in orders)
    assert by_weekday[5] > 1.2 * by_weekday[0]
    by_hour = Counter(order.placed_at.hour for order in orders)
    assert by_hour[20] > 5 * by_hour[3]
    by_month = Counter(order.placed_at.month for order in orders)
    assert by_month[12] > 1.5 * by_month[6]
    cancelled = sum(order.cancelled_at is not None for order in orders)
    assert 0.5 * CANCELLED < cancelled / len(orders) < 2 * CANCELLED
    best = Counter(line.product for order in orders for line in order.lines).most_common(4)
    assert sum(count for _, count in best) > 0.3 * sum(len(order.lines) for order in orders)
