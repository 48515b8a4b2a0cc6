"""Workflow 6 of the API: pages that name the next one, as long as there is one."""

# pyright: strict

import codemation as cm
from pydantic import BaseModel
from typing_extensions import TypeVar, assert_type

T = TypeVar("T")


def item(flow: cm.Flow[T]) -> T: ...


class PageUrl(BaseModel):
    url: str


class Offer(BaseModel):
    title: str
    price: float


class Page(BaseModel):
    offers: list[Offer]
    next_url: str | None


@cm.node(retry=cm.Retry(4), timeout="20s")
async def fetch(page: PageUrl) -> Page: ...


def following(page: Page) -> PageUrl | None:
    return PageUrl(url=page.next_url) if page.next_url else None


def is_last(page: PageUrl) -> bool: ...


@cm.node
def store(offers: list[Offer], ctx: cm.Context) -> None: ...


pages = cm.workflow("shop.scrape", input=PageUrl).loop(fetch, next=following, max=200)
assert_type(item(pages), Page)
scrape = pages.split(lambda page: page.offers).filter(lambda offer: offer.price > 0).then(store).build()


@cm.node
def redirect(page: PageUrl) -> PageUrl: ...


def twice(page: cm.Flow[PageUrl]) -> cm.Flow[PageUrl]:
    return page.then(redirect).then(redirect, id="again")


followed = cm.workflow("shop.redirects", input=PageUrl).loop(redirect, until=is_last, max=9)
assert_type(item(followed), PageUrl)
assert_type(item(followed.loop(twice, until=is_last, max=9)), PageUrl)
