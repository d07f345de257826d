"""`souk cache …`: what the gateways keep in memory."""

from typing import Annotated

import typer

from deploy.cli.api import read, send
from deploy.cli.asking import Yes, be_sure
from deploy.cli.shown import EXIT_CODES, AsJson, clock_time, out, print_json, print_table

group = typer.Typer(
    help="The caches of every gateway.\n\n" + EXIT_CODES, epilog="Example: souk cache show", no_args_is_help=True
)


@group.command(epilog="Example: souk cache show")
def show(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Hits, misses and sizes of each cache, summed over the gateways, and who they are."""
    found = read(ctx, "/api/admin/cache")
    if as_json:
        return print_json(found)
    print_table(
        {"cache": "", "size": "right", "hits": "right", "misses": "right", "hit rate": "right", "evicted": "right"},
        (
            (name, f"{each['size']}/{each['max']}", each["hits"], each["misses"], _share(each), each["evictions"])
            for name, each in found["sum"]["caches"].items()
        ),
    )
    out.print()
    print_table(
        {"gateway": "", "reported": "", "": ""},
        (
            (each["name"], clock_time(each["seen_at"]), "hears of changes" if each["is_live"] else "asks first")
            for each in found["replicas"]
        ),
    )
    return None


@group.command(epilog="Example: souk cache clear --expired")
def clear(
    ctx: typer.Context,
    expired: Annotated[bool, typer.Option("--expired", help="Only what is past its time.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Empty the caches of every gateway. Answers stay right; they take longer until the caches are full again."""
    if not expired:
        be_sure("Empty the caches of every gateway?", yes=yes)
    done = send(ctx, "/api/admin/cache/clear", {"mode": "expire" if expired else "clear"})
    if as_json:
        return print_json(done)
    out.print(f"{done['removed']} entries removed by {done['answered']} of {done['replicas']} gateways.")
    if done["missing"]:
        out.print(f"No answer yet from {', '.join(map(str, done['missing']))}; they do it when they hear of it.")
    return None


def _share(cache: dict[str, float]) -> str:
    return "" if cache["hit_rate"] is None else f"{cache['hit_rate']:.0%}"
