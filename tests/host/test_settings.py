"""Settings: one place for each, one winner, and no secret ever shown."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemation.host.config import Config
from codemation.host.settings import ConfigError, Settings, find_root, without_password

URL = "postgresql://me:sesame@db.example:5432/x"


def _toml(root: Path, lines: str) -> None:
    (root / "pyproject.toml").write_text(f"[tool.codemation]\n{lines}\n", encoding="utf-8")


def _module(root: Path, lines: str) -> Path:
    path = root / "codemation.config.py"
    path.write_text(f"import codemation as cm\n{lines}\n", encoding="utf-8")
    return path


def _refused(root: Path, **environment: str) -> ConfigError:
    """The error that the settings at `root` are refused with, which never tells a secret, not even in its chain."""
    with pytest.raises(ConfigError) as raised:
        Settings.load(root, environment)
    told = "".join(traceback.format_exception(raised.value))
    assert "sesame" not in told
    return raised.value


def test_without_configuration_every_setting_has_its_default(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path, {})
    assert settings.config == Config()
    assert set(settings.origins.values()) == {"default"}
    assert settings.state == tmp_path / ".codemation"
    assert settings.database_url is None


def test_a_file_wins_over_the_defaults_and_the_environment_over_the_file(tmp_path: Path) -> None:
    _toml(tmp_path, 'threads = 3\nframes = "pandas"')
    settings = Settings.load(tmp_path, {"CODEMATION_THREADS": "5", "UNRELATED": "1"})
    assert (settings.config.threads, settings.config.frames) == (5, "pandas")
    assert settings.origins["threads"] == "environment CODEMATION_THREADS"
    assert settings.origins["frames"] == "pyproject.toml"
    assert settings.origins["state"] == "default"


def test_a_config_module_sets_what_it_names(tmp_path: Path) -> None:
    _module(tmp_path, f'config = cm.Config(threads=2 + 2, database_url="{URL}")')
    settings = Settings.load(tmp_path, {})
    assert (settings.config.threads, settings.database_url) == (4, URL)
    assert settings.origins["threads"] == settings.origins["database_url"] == "codemation.config.py"
    assert settings.origins["frames"] == "default"


def test_two_configurations_are_refused_by_name(tmp_path: Path) -> None:
    _toml(tmp_path, "threads = 3")
    module = _module(tmp_path, "config = cm.Config()")
    error = _refused(tmp_path)
    assert str(tmp_path / "pyproject.toml") in error.message
    assert str(module) in error.message
    assert error.way_out == "keep one of them"


def test_a_pyproject_without_our_table_is_no_second_configuration(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    _module(tmp_path, "config = cm.Config(threads=4)")
    assert Settings.load(tmp_path, {}).config.threads == 4


@pytest.mark.parametrize(
    ("lines", "environment", "said"),
    [
        ("thraeds = 3", {}, "there is no setting thraeds (pyproject.toml); did you mean threads?"),
        ("", {"CODEMATION_THREDS": "3"}, "no setting threds (environment CODEMATION_THREDS); did you mean threads?"),
        ("zzz = 1", {}, "there are: database_url, redis_url, wake, scheduler"),
        ('threads = "many"', {}, "threads (pyproject.toml): Input should be a valid integer"),
        ("", {"CODEMATION_THREADS": "0"}, "threads (environment CODEMATION_THREADS): Input should be greater than"),
        ("patience = nan", {}, "patience (pyproject.toml): Input should be a finite number"),
        ('payloads = "redis"', {}, "payloads (pyproject.toml): Input should be 'postgres' or 'directory'"),
        ("[tool.codemation.state]\na = 1", {}, "state (pyproject.toml): "),
        ("", {"DATABASE_URL": "mysql://me:sesame@db/x"}, "database_url (environment DATABASE_URL): it must begin with"),
        ('database_url = "me:sesame@db/x"', {}, "database_url (pyproject.toml): it must begin with"),
        ("database_url = 5", {}, "database_url (pyproject.toml): "),
    ],
)
def test_what_does_not_fit_is_refused_with_its_origin(
    tmp_path: Path, lines: str, environment: dict[str, str], said: str
) -> None:
    _toml(tmp_path, lines)
    assert said in _refused(tmp_path, **environment).message


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    _toml(tmp_path, 'thraeds = 3\nframes = "excel"')
    said = _refused(tmp_path, CODEMATION_PATIENCE="-1").message
    assert [word in said for word in ("thraeds", "frames", "patience")] == [True, True, True]


@pytest.mark.parametrize("folder", [".", "", "..", "../flows", "/flows", "email", "codemation", "json/flows"])
def test_workflows_live_below_the_app_and_hide_no_python_module(tmp_path: Path, folder: str) -> None:
    _toml(tmp_path, f'workflows = "{folder}"')
    assert "workflows (pyproject.toml): " in _refused(tmp_path).message


@pytest.mark.parametrize("folder", ["flows", "src/flows", "my-flows", "my flows"])
def test_workflows_may_live_in_any_other_folder(tmp_path: Path, folder: str) -> None:
    _toml(tmp_path, f'workflows = "{folder}"')
    assert Settings.load(tmp_path, {}).config.workflows == folder


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[tool.codemation\n", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[tool]\ncodemation = 5\n", "tool.codemation in"),
    ],
)
def test_a_broken_pyproject_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "pyproject.toml").write_bytes(content)
    error = _refused(tmp_path)
    assert said in error.message
    assert str(tmp_path / "pyproject.toml") in error.message


def test_a_pyproject_with_a_strange_tool_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("tool = 5\n")
    assert Settings.load(tmp_path, {}).config == Config()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero (codemation.config.py:2)"),
        ("raise SystemExit", "SystemExit (codemation.config.py:2)"),
        ("import no_such_module_at_all", "ModuleNotFoundError"),
        ("\nconfig = (", "(codemation.config.py:3)"),
        ("settings = cm.Config()", "has no `config`"),
        ("config = {'threads': 3}", "has no `config`"),
        ("config = cm.Config(thraeds=3)", "no setting thraeds (codemation.config.py:2); did you mean threads?"),
        ('config = cm.Config(database_url="mysql://me:sesame@db/x")', "database_url (codemation.config.py:2): it must"),
        ('import pydantic\npydantic.TypeAdapter(int).validate_python("x")', "ValidationError: "),
    ],
)
def test_a_config_module_that_cannot_be_used_is_named_with_its_line(tmp_path: Path, lines: str, said: str) -> None:
    _module(tmp_path, lines)
    error = _refused(tmp_path)
    assert said in error.message
    assert "codemation.config.py" in error.message


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_way_to_write_a_url_of_postgresql_is_understood(tmp_path: Path, scheme: str) -> None:
    settings = Settings.load(tmp_path, {"DATABASE_URL": f"{scheme}://me:sesame@db/x"})
    assert settings.database_url == f"{'postgres' if scheme == 'postgres' else 'postgresql'}://me:sesame@db/x"


def test_our_own_variable_wins_over_the_one_that_other_programs_read(tmp_path: Path) -> None:
    both = {"CODEMATION_DATABASE_URL": URL, "DATABASE_URL": "mysql://other/x"}
    for environment in (both, dict(reversed(both.items()))):
        settings = Settings.load(tmp_path, environment)
        assert settings.database_url == URL
        assert settings.origins["database_url"] == "environment CODEMATION_DATABASE_URL"


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    _toml(tmp_path, 'frames = "pandas"')
    settings = Settings.load(tmp_path, {"CODEMATION_FRAMES": "", "CODEMATION_DATABASE_URL": "", "DATABASE_URL": ""})
    assert (settings.config.frames, settings.config.database_url) == ("pandas", None)


def test_relative_paths_begin_at_the_app_and_not_at_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    _toml(tmp_path / "app", 'state = "here/state"\npayload_directory = "/elsewhere"')
    settings = Settings.load(Path("app"), {})
    monkeypatch.chdir("/")
    assert settings.state == tmp_path / "app" / "here" / "state"
    assert settings.path(settings.config.payload_directory) == Path("/elsewhere")
    assert settings.path(Path("~/x")) == tmp_path / "home" / "x"


def test_secrets_show_nowhere(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path, {"DATABASE_URL": f"{URL}?sslpassword=sesame&password=sesame&application_name=a"})
    shown = {name: value for name, value, _ in settings.shown()}
    assert shown["database_url"] == ("postgresql://me:…@db.example:5432/x?sslpassword=…&password=…&application_name=a")
    for said in (repr(settings), repr(settings.config), str(settings.config), repr(settings.shown())):
        assert "sesame" not in said
    assert [name for name, _, _ in settings.shown()] == list(Config.model_fields)


_WORD = st.text(st.sampled_from("abcxyz0189-_.~%!$&()*+,;=@:/?#"), min_size=1, max_size=12)


@given(password=_WORD, user=st.sampled_from(["", "me"]))
def test_no_password_shows_however_it_is_written(password: str, user: str) -> None:
    mark = f"PW{password}WP"
    shown = without_password(f"postgresql://{user}:{mark}@host:5432/db")
    assert shown == f"postgresql://{user}:…@host:5432/db"


@pytest.mark.parametrize("url", ["postgresql:///x?host=/tmp/run", "postgresql://host:5432/x", "postgresql://me@host/x"])
def test_a_url_without_password_is_shown_as_it_is(url: str) -> None:
    assert without_password(url) == url


def test_the_nearest_app_upwards_is_found(tmp_path: Path) -> None:
    inner = tmp_path / "outer" / "inner"
    deep = inner / "notebooks" / "drafts"
    deep.mkdir(parents=True)
    _toml(tmp_path / "outer", "")
    assert find_root(deep) == tmp_path / "outer"
    _module(inner, "config = cm.Config()")
    assert find_root(deep) == inner
    assert find_root(tmp_path / "outer") == tmp_path / "outer"


def test_a_folder_of_workflows_makes_an_app_if_there_is_python_in_it(tmp_path: Path) -> None:
    _toml(tmp_path, "")
    stray = tmp_path / ".github" / "workflows"
    stray.mkdir(parents=True)
    (stray / "ci.yml").touch()
    assert find_root(stray.parent) == tmp_path
    nested = tmp_path / "shop" / "workflows" / "sales"
    nested.mkdir(parents=True)
    (nested / "sync.py").touch()
    assert find_root(nested) == tmp_path / "shop"


def test_the_search_for_an_app_ends_at_the_top_of_the_repository(tmp_path: Path) -> None:
    _toml(tmp_path, "")
    source = tmp_path / "repository" / "src"
    source.mkdir(parents=True)
    (tmp_path / "repository" / ".git").touch()
    assert find_root(source) == tmp_path / "repository"


def test_a_pyproject_of_something_else_makes_no_app(tmp_path: Path) -> None:
    _toml(tmp_path, "")
    package = tmp_path / "package"
    package.mkdir()
    (package / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert find_root(package) == tmp_path
