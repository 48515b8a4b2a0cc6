"""6. Scraping: bounded pagination, rate limit."""

# pyright: strict

from pydantic import BaseModel

import codemation as cm
from tests.corpus.deeds import Deeds


class PageUrl(BaseModel):
    url: str


class Offer(BaseModel):
    title: str
    price: float


class Page(BaseModel):
    offers: list[Offer]
    next_url: str | None


STORED = Deeds("scrape")
"""What the workflow has done to the world."""


@cm.node(rate="2/s", pool="shop", retry=cm.Retry(4), timeout="20s")
async def fetch(page: PageUrl) -> Page:
    number = int(page.url)
    offers = [Offer(title=f"offer {number}", price=float(number))]
    return Page(offers=offers, next_url=str(number + 1) if number < 3 else None)


def following(page: Page) -> PageUrl | None:
    return PageUrl(url=page.next_url) if page.next_url else None


@cm.node
def store(offers: list[Offer], ctx: cm.Context) -> None:
    STORED.extend(offer.title for offer in offers)
    ctx.log.info("stored %d", len(offers))


scrape = (
    cm.workflow("shop.scrape", input=PageUrl)
    .on(cm.every("6h"))
    .loop(fetch, next=following, max=200)
    .split(lambda page: page.offers)
    .filter(lambda offer: offer.price > 0)
    .then(store)
    .build()
)
