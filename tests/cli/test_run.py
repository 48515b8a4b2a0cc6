"""What `codemation run` takes, what it shows, and what it answers to mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.shop import Shop

HELP = """\
Usage: codemation run [OPTIONS] WORKFLOW [ITEMS]

  Run WORKFLOW here and now, and show what came out.

  WORKFLOW is an id (flights.delays), the end of one (delays), or a file
  (jobs.py, jobs.py:delays). Its params are options; --help after WORKFLOW shows
  them.

  ITEMS is - for JSON lines from standard input, or @FILE for those of a file.

  Ctrl-C pauses the run; what has finished is kept, and codemation runs resume
  goes on with it.

  shop.orders: Orders of a day. Price what was ordered.

Params of shop.orders:
  --count INT            How many orders to make up. [at least 0, at most 5000;
                         default: 4]
  --broken INT           Number of the order that cannot be priced; -1 for none.
                         [default: -1]
  --rates JSON           Tax by country. [default: {"DE": 1.19}]
  --tags TEXT            Written on the report. May be repeated. [default: none]
  --day DATE             Like 2026-01-31. [default: 2026-01-31]
  --pace [fast|careful]  How to price. [default: fast]
  --loud / --no-loud     Print a line for each order. [default: no]
  --param-key TEXT       Called like an option of the command. [default: plain]

Options:
  --params FILE   JSON file with params; options go over it.
  --pins FOLDER   Take from here what nodes give, and do not run them.
  --key NAME      Start under a name: the same name again gives the same run.
  --priority INT  Higher is more urgent.
  --json          Write the run and what came out of it as JSON.
  -q, --quiet     Show only what came out.
  -h, --help      Show this message and exit.
"""
FAILURE = """\
✗ shop.orders failed at "price"   run RUN

  workflows/orders.py:43, in price
      raise ValueError("there is no price\\nfor this order")
  ValueError: there is no price
    for this order

  item 2 (make:2): id=A2, total=3.0

  see it         codemation runs show SHORT
  its log        codemation runs logs SHORT price
  after the fix  codemation runs resume SHORT
"""
LINES = """\
✓ make    → 4
✓ check   4 → 4
✓ price   4 → 4
✓ report  4 + 4 → 1
"""


def settled(text: str) -> str:
    """The text without what differs from run to run."""
    text = re.sub(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "RUN", text)
    text = re.sub(r"\b[0-9a-f]{8}\b", "SHORT", text)
    return re.sub(r" +(?:[\d.]+ m?s)(?: +[\d.,]+/s)?$", "", text, flags=re.MULTILINE)


def test_the_params_of_a_workflow_are_explained_as_options(shop: Shop) -> None:
    assert shop.codemation("run", "orders", "--help").stdout == HELP


def test_a_run_tells_of_its_nodes_and_shows_what_came_out(shop: Shop) -> None:
    done = shop.codemation("run", "orders")
    assert done.exit_code == 0
    *lines, end, show = settled(done.stderr).splitlines()
    assert sorted(lines) == sorted(LINES.splitlines())
    assert re.fullmatch(r"✓ shop\.orders succeeded in [\d.]+ m?s   run RUN", end)
    assert show == "  codemation runs show SHORT"
    assert done.stdout.splitlines() == [
        "output  1 item",
        "  priced  checked  tags  key    rates",
        "       4        4  []    plain  {DE: 1.19}",
    ]


def test_quietly_a_run_shows_only_what_came_out(shop: Shop) -> None:
    done = shop.codemation("run", "orders", "--quiet")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("output  1 item\n")


def test_a_failure_is_told_by_the_authors_line_the_item_and_what_to_type_next(shop: Shop) -> None:
    done = shop.codemation("run", "orders", "--broken", "2")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert settled(done.stderr).partition("✗ shop.orders")[1:] == FAILURE.partition("✗ shop.orders")[1:]


def test_with_json_standard_output_holds_nothing_else(shop: Shop) -> None:
    done = shop.codemation("run", "orders", "--json", "--loud", "--count", "2")
    run = json.loads(done.stdout)
    assert (run["status"], run["nodes_done"]) == ("succeeded", 4)
    assert run["finished_at"] is not None
    assert run["outputs"]["main"] == [{"priced": 2, "checked": 2, "tags": [], "key": "plain", "rates": {"DE": 1.19}}]
    assert "pricing A1" in done.stderr


def test_with_json_a_failure_is_told_to_programs_and_to_people(shop: Shop) -> None:
    done = shop.codemation("run", "orders", "--json", "--broken", "0")
    run = json.loads(done.stdout)
    assert (done.exit_code, run["status"], run["error"]["node"], run["error"]["item_index"]) == (
        1,
        "failed",
        "price",
        0,
    )
    assert "there is no price" in done.stderr


def test_options_of_every_kind_reach_the_params(shop: Shop) -> None:
    words = ["--count=1", "--tags", "a", "--tags", "b", "--rates", '{"US": 1}', "--param-key", "mine", "--no-loud"]
    done = shop.codemation("run", "shop.orders", *words, "--day", "2026-02-01", "--pace", "careful", "--json")
    run = json.loads(done.stdout)
    assert run["params"]["day"] == "2026-02-01"
    assert run["params"]["pace"] == "careful"
    assert run["outputs"]["main"][0] == {
        "priced": 1,
        "checked": 1,
        "tags": ["a", "b"],
        "key": "mine",
        "rates": {"US": 1},
    }


def test_params_come_from_a_file_and_options_go_over_it(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text('{"count": 3, "tags": ["file"]}')
    done = shop.codemation("run", "orders", "--params", str(tmp_path / "params.json"), "--count", "2", "--json")
    assert json.loads(done.stdout)["outputs"]["main"][0]["priced"] == 2
    assert json.loads(done.stdout)["outputs"]["main"][0]["tags"] == ["file"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1]", "holds a list"),
        ("{", "is not JSON"),
        ('{"cuont": 1}', "did you mean 'count'?"),
        (None, "cannot be read"),
    ],
)
def test_a_file_of_params_that_is_not_right_is_refused(
    shop: Shop, tmp_path: Path, content: str | None, said: str
) -> None:
    path = tmp_path / "params.json"
    if content is not None:
        path.write_text(content)
    done = shop.codemation("run", "orders", "--params", str(path))
    assert done.exit_code == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["orders", "--cuont", "3"], "No such option '--cuont'"),
        (["orders", "--cuont", "3"], "--count"),
        (["orders", "--cuont", "3"], "→ codemation run orders --help"),
        (["orders", "--count", "many"], "--count: Input should be a valid integer"),
        (["orders", "--count", "-3"], "--count: Input should be greater than or equal to 0"),
        (["orders", "--rates", "{"], "--rates wants JSON"),
        (["orders", "--pace", "wild"], "'wild' is not one of 'fast', 'careful'"),
        (["order"], "did you mean shop.orders?"),
        (["nothing"], "there are: held, pair, shop.orders, shop.stock"),
        (["--count", "3", "orders"], "name the workflow before --count"),
        (["missing.py"], "there is no file missing.py"),
        (["workflows/orders.py:order"], "did you mean workflows/orders.py:orders?"),
        (["workflows/orders.py"], "holds 3 workflows: orders, parted, stock"),
        (["orders", "items.jsonl"], "write - for standard input, or @FILE"),
        (["orders", "@items.jsonl"], "items.jsonl cannot be read"),
        (
            ["stock"],
            '"shop.stock" works on items of Line, and none were given\n→ codemation run shop.stock - for JSON lines',
        ),
        ([], "Missing argument 'WORKFLOW'"),
    ],
)
def test_a_mistake_on_the_command_line_is_explained_and_nothing_is_run(shop: Shop, words: list[str], said: str) -> None:
    done = shop.codemation("run", *words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_items_come_from_standard_input_as_json_lines(shop: Shop) -> None:
    done = shop.codemation(
        "run", "stock", "-", "--json", given='{"sku": "a", "amount": 1}\n\n{"sku": "b", "amount": 2}'
    )
    assert json.loads(done.stdout)["outputs"]["main"] == [{"sku": "a", "amount": 2}, {"sku": "b", "amount": 4}]


def test_items_come_from_a_file(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "lines.jsonl").write_text('{"sku": "ä", "amount": 21}\n', encoding="utf-8")
    done = shop.codemation("run", "stock", f"@{tmp_path / 'lines.jsonl'}", "--json")
    assert json.loads(done.stdout)["outputs"]["main"] == [{"sku": "ä", "amount": 42}]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b'{"sku": "a", "amount": 1}\nno\n', "line 2 of standard input is not JSON"),
        (b'[{"sku": "a", "amount": 1}]\n', "line 1 of standard input is a list, and an item is never one"),
        (b'{"sku": "a"}\n', "item 0: amount: Field required"),
        (b'"\xff\xfe"\n', "line 1 of standard input is not JSON"),
    ],
)
def test_items_that_are_not_right_are_refused_with_their_place(shop: Shop, given: bytes, said: str) -> None:
    done = shop.codemation("run", "stock", "-", given=given)
    assert done.exit_code == 2
    assert said in done.stderr


def test_the_same_key_gives_the_same_run(shop: Shop) -> None:
    first = json.loads(shop.codemation("run", "orders", "--key", "today", "--json").stdout)
    again = shop.codemation("run", "orders", "--key", "today", "--json")
    assert json.loads(again.stdout)["id"] == first["id"]
    assert "was started under this key before" in again.stderr
    other = shop.codemation("run", "orders", "--key", "today", "--count", "1")
    assert other.exit_code == 2
    assert "use another key" in other.stderr


def test_a_file_outside_of_the_app_is_run_and_hides_no_module_of_its_name(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "json.py"
    file.write_text(
        "import codemation as cm\n@cm.node\ndef hello() -> str:\n    return 'hi'\n"
        "greet = cm.workflow('greet').then(hello).build()\n"
    )
    done = shop.codemation("run", f"{file}:greet", "--quiet")
    assert done.stdout.split() == ["output", "1", "item", "value", "hi"]
    assert json.loads("1") == 1
    assert "--code" in shop.codemation("runs", "resume", "last").stderr


def test_the_mistakes_of_an_author_are_shown_with_their_places(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text(
        "import codemation as cm\n@cm.node\ndef one(params: cm.Params) -> int:\n    return 1\n"
        "bad = cm.workflow('bad').then(one, limt=1).build()\n"
    )
    done = shop.codemation("run", str(file))
    assert done.exit_code == 2
    assert 'workflow "bad" has' in done.stderr
    assert f"{file}:5   bad = cm.workflow('bad')" in done.stderr


def test_a_file_that_cannot_be_imported_is_shown_from_its_own_line_on(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "lost.py"
    file.write_text("import codemation\nimport no_such_library\n")
    done = shop.codemation("run", str(file))
    assert done.exit_code == 2
    assert "cannot be imported: ModuleNotFoundError: No module named 'no_such_library'" in done.stderr
    assert "import no_such_library" in done.stderr
    assert "importlib" not in done.stderr


def test_a_database_that_does_not_answer_is_the_hosts_trouble(shop: Shop) -> None:
    done = shop.codemation("run", "orders", CODEMATION_DATABASE_URL="postgresql://me:secret@127.0.0.1:1/none")
    assert done.exit_code == 3
    assert "cannot be reached" in done.stderr
    assert "secret" not in done.output


def test_a_setting_that_does_not_exist_is_a_mistake(shop: Shop) -> None:
    done = shop.codemation("run", "orders", CODEMATION_THREDS="3")
    assert done.exit_code == 2
    assert "did you mean threads?" in done.stderr
