"""`codemation build`, `deploy` and `deployments`, in processes of their own, as CI and operators carry them out."""

from __future__ import annotations

import json
import subprocess

from tests.cli.shop import ORDERS, Shop

CHANGED = ORDERS.replace("line.amount * 2", "line.amount * 3")


def carried_out(shop: Shop, *words: str) -> subprocess.CompletedProcess[str]:
    """A command that has ended."""
    process = shop.start(*words)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def write(shop: Shop, text: str, name: str = "orders.py") -> None:
    """Save a file of workflows."""
    (shop.folder / "workflows" / name).write_text(text)


def test_a_check_says_what_would_change_and_fails(shop: Shop) -> None:
    first = carried_out(shop, "build", "--check")
    assert first.returncode == 1
    assert "there is nothing to compare with yet" in first.stderr
    built = carried_out(shop, "build")
    assert built.returncode == 0
    assert "shop.stock" in built.stdout
    assert carried_out(shop, "build", "--check").returncode == 0
    write(shop, CHANGED)
    changed = carried_out(shop, "build", "--check")
    assert changed.returncode == 1
    assert "~ shop.stock: rewritten: double" in changed.stderr
    write(shop, "def (\n", "broken.py")
    broken = carried_out(shop, "build", "--json")
    assert broken.returncode == 2
    assert [one["file"] for one in json.loads(broken.stdout)["problems"]] == ["workflows/broken.py"]
    (shop.folder / "workflows" / "broken.py").unlink()


def test_a_build_is_deployed_once_and_an_earlier_one_can_count_again(shop: Shop) -> None:
    write(shop, ORDERS)
    carried_out(shop, "build")
    assert "counts from now on" in shop.codemation("deploy", "-m", "the first one").stderr
    assert "counts already" in shop.codemation("deploy").stderr
    first = json.loads(shop.codemation("deployments", "list", "--json").stdout)[0]["build"]
    write(shop, CHANGED)
    carried_out(shop, "build")
    assert "~ shop.stock: rewritten: double" in shop.codemation("deploy").stdout
    assert carried_out(shop, "build", "--check", "--deployed").returncode == 0
    assert shop.codemation("deploy", "--build", first[:8], "-m", "back").exit_code == 0
    listed = json.loads(shop.codemation("deployments", "list", "--json").stdout)
    assert [(one["message"], one["counts"]) for one in listed] == [
        ("back", True),
        ("", False),
        ("the first one", False),
    ]
    shown = shop.codemation("deployments", "list").stdout
    assert first[:12] in shown
    assert "the first one" in shown


def test_a_run_is_resumed_with_the_deployed_code_that_it_began_with(shop: Shop) -> None:
    """The file has changed since, and changes nothing about it."""
    write(shop, ORDERS)
    carried_out(shop, "build")
    shop.codemation("deploy")
    failed = shop.codemation("run", "shop.orders", "--broken", "2")
    assert failed.exit_code == 1
    write(shop, ORDERS.replace("def check(order", "def checked(order").replace("checked=check", "checked=checked"))
    resumed = carried_out(shop, "runs", "resume", "last")
    assert "has changed since" not in resumed.stderr
    assert "there is no price" in resumed.stderr
    write(shop, ORDERS)


def test_what_was_never_built_cannot_be_deployed(shop: Shop) -> None:
    said = shop.codemation("deploy", "nowhere")
    assert said.exit_code == 3
    assert "there is no build in" in said.stderr
    assert "codemation build" in said.stderr
