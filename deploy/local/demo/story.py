"""The story: a marketplace, a product from its submission to its sale, and what goes wrong on the way.

Each chapter checks what it shows; the first thing that does not hold ends the story.
"""

from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from deploy.local.demo.chapters import bad_input, catalogue, failing_mail, figures, rejection, sales, submission, sync
from deploy.local.demo.stage import Stage
from deploy.local.demo.timeline import Timeline
from deploy.local.run_file import RunFile


class Story:
    """The chapters in their order."""

    def __init__(
        self,
        run: RunFile,
        http: aiohttp.ClientSession,
        timeline: Timeline,
        *,
        depot_port: int,
        paintings: Path,
    ) -> None:
        """`paintings` keeps the pictures of the catalogue from one run to the next.

        At `depot_port` a shop's own system will answer; the stack's `outbound_allow` has it.
        """
        self._show = timeline
        self._stage = Stage(run, http, timeline, paintings, depot_port=depot_port)

    async def tell(self) -> None:
        """All of it. Raises `DemoFailed` at the first step that does not hold."""
        stage, chapter = self._stage, self._show.chapter
        chapter("A marketplace: three shops, 48 products, each with a picture")
        await catalogue.open_shops(stage)
        stage.begun_at = datetime.now(UTC)
        chapter("A vendor submits a product with two pictures; the answer comes at once")
        await submission.submit(stage)
        chapter("Behind it: the admin's mail, the pictures in all sizes")
        await submission.hear_of_it(stage)
        chapter("The admin turns it down for two reasons; the vendor mends it and asks again; now it is approved")
        await rejection.reject(stage)
        await rejection.resubmit(stage)
        await rejection.approve(stage)
        chapter("One vendor's mailbox is full: the mail is tried again, gives up, and an operator sends it by hand")
        await failing_mail.fail(stage)
        await failing_mail.put_right(stage)
        chapter("Bad input: each gets its answer, and nothing changes")
        await bad_input.send(stage)
        chapter("A channel sells below the threshold; meanwhile a shop's own system brings its stock in line")
        await sales.sell(stage)
        await sync.bring_in(stage)
        chapter("One mail tells the vendor what runs low; the scheduler's tick looks again; a report counts the order")
        await sales.hear_of_it(stage)
        await sales.report(stage)
        chapter("Every job behind it")
        await figures.jobs(stage)
        chapter("What each process did")
        await figures.processes(stage)
