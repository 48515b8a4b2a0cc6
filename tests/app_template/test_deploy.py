"""What an app is deployed with holds together: units, image and compose file, and every command in them."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from codemation.cli.main import main
from tests.host.postgres.embedded.world import REPOSITORY

DEPLOY = REPOSITORY / "app_template" / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
INSTRUCTIONS = {
    *("FROM", "RUN", "CMD", "COPY", "ENV", "WORKDIR", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"),
    *("ARG", "ENTRYPOINT", "LABEL", "VOLUME", "SHELL"),
}


def unit(path: Path) -> configparser.ConfigParser:
    """A unit of systemd."""
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # so it is documented
    parser.read_string(path.read_text())
    return parser


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile."""
    lines = [line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in whole.splitlines() if line.strip()]


def compose() -> Any:
    """The compose file."""
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def commands() -> Iterator[list[str]]:
    """Every command of ours that one of these files contains."""
    for path in UNITS:
        yield shlex.split(unit(path)["Service"]["ExecStart"].replace("%i", "default,gpu"))[1:]
    for name, given in instructions():
        if name == "CMD":
            yield yaml.safe_load(given)[1:]
        elif name == "RUN" and given.startswith("codemation "):
            yield shlex.split(given)[1:]
    for service in compose()["services"].values():
        if service.get("command", [""])[0] == "codemation":
            yield service["command"][1:]


def parsed(words: list[str]) -> click.Context:
    """A command line as click takes it; nothing is carried out."""
    context = click.Context(main, info_name="codemation")
    command: click.Command = main
    while isinstance(command, click.Group):
        name, *words = words
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name}"
        command = found
    return command.make_context(name, words, parent=context)


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_each_command_is_one(words: list[str]) -> None:
    assert parsed(words).params is not None


def test_the_commands_are_those_of_a_deployment() -> None:
    beginnings = {" ".join(words[:2]) for words in commands()}
    assert beginnings == {"serve web", "serve worker", "db migrate", "build --output"}


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_gives_up_its_rights_and_leaves_time_for_a_warm_end(path: Path) -> None:
    service = unit(path)["Service"]
    assert (service["User"], service["NoNewPrivileges"], service["KillSignal"]) == ("codemation", "yes", "SIGTERM")
    words = shlex.split(service["ExecStart"])
    grace = float(words[words.index("--grace") + 1]) if "--grace" in words else 20.0
    assert float(service["TimeoutStopSec"]) >= grace + 10
    assert service["RestartPreventExitStatus"] == "2"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_has_nothing_to_say_against_a_unit(path: Path, tmp_path: Path) -> None:
    """But that the program and its user are not on this machine."""
    text = re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", path.read_text())
    copy = tmp_path / path.name.replace("@", "@default")
    copy.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if str(tmp_path) in line or path.stem in line]
    assert [line for line in said if "Unknown" in line or "Failed to parse" in line or "ignoring" in line] == []


def test_the_image_is_small_pinned_by_range_and_runs_as_nobody_in_particular() -> None:
    found = instructions()
    assert {name for name, _ in found} <= INSTRUCTIONS
    bases = [given.split()[0] for name, given in found if name == "FROM"]
    assert all(re.fullmatch(r"python:3\.\d+-slim", base) for base in bases)
    last = dict(found)
    assert int(last["USER"].partition(":")[0]) > 0
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert "/readyz" in last["HEALTHCHECK"]
    wanted = [given for name, given in found if name == "RUN" and "codemation[" in given]
    assert all(re.search(r"codemation\[[a-z,]+\]>=[\d.]+,<[\d.]+", given) for given in wanted)
    order = [name for name, _ in found]
    assert order.index("USER") < order.index("CMD")


def test_the_services_wait_for_what_they_need_and_end_in_good_order() -> None:
    services = compose()["services"]
    assert set(services) == {"postgres", "redis", "migrate", "web", "worker"}
    for name in ("web", "worker"):
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        assert services[name]["read_only"] is True
    worker = services["worker"]
    grace = int(worker["command"][worker["command"].index("--grace") + 1])
    assert int(worker["stop_grace_period"].removesuffix("s")) >= grace + 10
    assert int(services["web"]["stop_grace_period"].removesuffix("s")) >= 30
    assert all("healthcheck" in services[name] for name in ("postgres", "redis"))


def test_no_password_is_written_into_a_file() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    given = re.findall(r"(?:PASSWORD: |//codemation:|redis://:|requirepass\", \")(\S+?)[@\"\s]", text)
    assert given
    assert all(one.startswith("${") for one in given)
