"""Credentials: looked for before anything starts and before each call, never shown, never stored (semantics §3)."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

import codemation as cm
from codemation.core.credentials import MissingCredential, without_secrets
from codemation.core.errors import RunFailed
from codemation.core.ids import NodeId
from codemation.core.launch import Launch
from codemation.core.ports import Slot
from codemation.host.app import App
from codemation.host.backend import Backend
from codemation.host.credentials import EnvironmentCredentials, source_of, variable
from codemation.host.memory import memory_stores
from codemation.host.settings import ConfigError, Settings


class Crm(cm.Credential):
    url: str
    token: cm.Secret
    retries: int = 3
    tags: list[str] = Field(default_factory=list)


class Bank(cm.Credential):
    pin: cm.Secret


class Anonymous(cm.Credential):
    agent: str = "codemation"


VARIABLES = {"CODEMATION_CREDENTIAL_CRM_URL": "https://crm", "CODEMATION_CREDENTIAL_CRM_TOKEN": "s3cret-t0ken"}


def session(crm: Crm, bank: Bank | None = None) -> str:
    return f"{crm.url} {bank}"


@cm.node
def fetch(order: int, crm: Crm) -> str:
    return f"{order} from {crm.url} with {crm.token}"


@cm.node
def pay(order: int, bank: Bank) -> int:
    return order


@cm.node
def browse(order: int, session: Annotated[str, cm.use(session)], guest: Anonymous, spare: Bank | None = None) -> str:
    return f"{session} {guest.agent} {spare}"


def flow_of(node: Any) -> cm.Workflow[Any, ...]:
    return cm.workflow("orders.w", input=int).then(node).build()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Callable[..., App]]:
    apps: list[App] = []

    def opened(found: Mapping[str, str] | None = None, **settings: Any) -> App:
        made = App(
            Backend(stores=memory_stores(), close=lambda: None, describes="memory"),
            Settings(tmp_path, settings, {}),
            credentials=[EnvironmentCredentials(found or {})],
        )
        apps.append(made)
        return made

    yield opened
    for one in apps:
        one.close()


def run(app: App, node: Any) -> Any:
    handle = app.launch(Launch(workflow=flow_of(node), items=[1]))
    handle.wait()
    return handle


def test_a_parameter_of_a_credential_class_is_filled_in(app: Callable[..., App]) -> None:
    assert run(app(VARIABLES), fetch).output == ["1 from https://crm with **********"]


def test_what_is_set_for_the_slot_wins_over_what_is_set_for_the_class(app: Callable[..., App]) -> None:
    @cm.node
    def other(order: int, source: Crm) -> str:
        return source.url

    mine = {"CODEMATION_CREDENTIAL_SOURCE_URL": "https://mine", "CODEMATION_CREDENTIAL_SOURCE_TOKEN": "other-one"}
    assert run(app(VARIABLES | mine), other).output == ["https://mine"]


def test_fields_are_read_from_their_variables() -> None:
    more = {"CODEMATION_CREDENTIAL_CRM_RETRIES": "7", "CODEMATION_CREDENTIAL_CRM_TAGS": '["a"]'}
    found = EnvironmentCredentials(VARIABLES | more).find(Slot(node=NodeId("n"), name="crm", type=Crm))
    assert found is not None
    assert Crm.model_validate(found) == Crm(url="https://crm", token=cm.Secret("s3cret-t0ken"), retries=7, tags=["a"])
    broken = EnvironmentCredentials({"CODEMATION_CREDENTIAL_CRM_TAGS": "[x"})
    assert broken.find(Slot(node=NodeId("n"), name="crm", type=Crm)) == {"tags": "[x"}
    assert variable("SmtpServer", "host") == "CODEMATION_CREDENTIAL_SMTP_SERVER_HOST"


def test_without_credentials_nothing_starts_and_all_that_are_missing_are_named(app: Callable[..., App]) -> None:
    """Semantics §10, acceptance 14."""
    wide = cm.workflow("orders.wide", input=int).tap(fetch).tap(pay).then(browse).build()
    empty = app()
    with pytest.raises(MissingCredential) as caught:
        empty.launch(Launch(workflow=wide, items=[1]))
    assert caught.value.message.splitlines() == [
        '"orders.wide" cannot start, because it needs credentials:',
        '  crm of "fetch" is nowhere: Crm',
        '  bank of "pay" is nowhere: Bank',
        '  crm of "browse" is nowhere: Crm',
    ]
    assert "CODEMATION_CREDENTIAL_CRM_TOKEN, CODEMATION_CREDENTIAL_BANK_PIN" in caught.value.way_out
    assert empty.stores.runs.page() == ()


def test_a_credential_that_has_gone_fails_its_node_and_is_not_tried_again(app: Callable[..., App]) -> None:
    found = dict(VARIABLES)
    calls: list[int] = []

    @cm.node
    def first(order: int) -> int:
        calls.append(order)
        found.clear()
        return order

    patient = fetch.options(retry=cm.Retry(5, delay="1s"))
    opened = app(found)
    flow = cm.workflow("orders.gone", input=int).then(first).then(patient).build()
    handle = opened.launch(Launch(workflow=flow, items=[1]))
    with pytest.raises(RunFailed, match='crm of "fetch" is nowhere: Crm'):
        handle.wait()
    assert handle["fetch"].attempts == 1
    assert calls == [1]


def test_openers_of_resources_are_given_credentials_and_what_may_be_missing_is_none(app: Callable[..., App]) -> None:
    assert run(app(VARIABLES), browse).output == ["https://crm None codemation None"]
    (node,) = flow_of(browse).nodes.values()
    assert node.credentials == {
        "crm": "Crm",
        "bank": "Bank",
        "guest": "Anonymous",
        "spare": "Bank",
    }


def test_the_configuration_names_credentials_and_functions(app: Callable[..., App], tmp_path: Path) -> None:
    mine = Crm(url="https://configured", token=cm.Secret("abcd"))

    def resolver(slot: Slot) -> dict[str, object] | None:
        return {"pin": "pin of the bank"} if slot.type is Bank and slot.node == "pay" else None

    configured = app(credentials=[resolver, mine])
    assert run(configured, fetch).output == ["1 from https://configured with **********"]
    assert run(configured, pay).output == [1]
    named = app(credentials=["tests.host.test_credentials:RESOLVER"])
    assert run(named, pay).output == [1]
    with pytest.raises(ConfigError, match="neither a credential nor a function"):
        Settings(tmp_path, {"credentials": [3]}, {})
    with pytest.raises(ConfigError, match=r"tests\.host:nothing cannot be imported"):
        Settings(tmp_path, {"credentials": ["tests.host:nothing"]}, {})


def test_variables_of_credentials_are_no_settings(tmp_path: Path) -> None:
    assert Settings.load(tmp_path, VARIABLES).config.credentials == ()


class Resolver:
    def find(self, slot: Slot) -> Mapping[str, object] | None:
        return {"pin": "12345"} if slot.type is Bank else None


RESOLVER = Resolver()


def test_a_source_is_taken_as_it_is() -> None:
    assert source_of(RESOLVER) is RESOLVER


def test_what_does_not_fit_is_said_without_what_it_holds(app: Callable[..., App]) -> None:
    wrong = VARIABLES | {"CODEMATION_CREDENTIAL_CRM_RETRIES": "many-secret"}
    with pytest.raises(MissingCredential, match='crm of "fetch" does not fit Crm: retries: Input should be') as caught:
        run(app(wrong), fetch)
    assert "many-secret" not in str(caught.value)


def test_a_secret_shows_nowhere(app: Callable[..., App], caplog: pytest.LogCaptureFixture) -> None:
    """Semantics §2: never in payloads, logs, reprs, views."""

    @cm.node(on_error="port")
    def careless(order: int, crm: Crm, ctx: cm.Context) -> int:
        sys.stdout.write(f"token {crm.token.get_secret_value()}\n")
        ctx.log.warning("using %s", crm.token.get_secret_value())
        raise ValueError(f"401 for {crm.token.get_secret_value()}")

    opened = app(VARIABLES)
    with caplog.at_level(logging.WARNING):
        handle = run(opened, careless)
    (failure,) = handle["careless"]["error"].items
    logged = " ".join(line.text for line in opened.stores.logs.read(handle.id))
    shown = " ".join(
        [failure.error, failure.traceback, logged, repr(handle), repr(Crm(url="u", token=cm.Secret("s3cret-t0ken")))]
    )
    assert "s3cret-t0ken" not in shown
    assert failure.error == "401 for ••••••"
    assert "token ••••••" in logged
    assert "using ••••••" in logged
    assert without_secrets("s3cret-t0ken") == "••••••"


def test_storing_a_secret_is_an_error_that_names_the_place(app: Callable[..., App]) -> None:
    @cm.node
    def leak(order: int, crm: Crm) -> dict[str, Any]:
        return {"inner": [crm]}

    with pytest.raises(RunFailed, match=r"value\.inner\[0\]\.token: a secret is never stored|value\[.inner.\]"):
        run(app(VARIABLES), leak)


def test_secrets_inside_of_other_things_are_known() -> None:
    class Deep(cm.Credential):
        crm: Crm
        by_name: dict[str, cm.Secret]
        many: list[cm.Secret]

    deep = Deep(
        crm=Crm(url="u", token=cm.Secret("first-one")),
        by_name={"a": cm.Secret("second-one")},
        many=[cm.Secret("third-one"), cm.Secret("abc")],
    )
    assert deep.secrets() == ["first-one", "second-one", "third-one", "abc"]
    assert without_secrets("first-one second-one third-one abc") == "•••••• •••••• •••••• abc"
