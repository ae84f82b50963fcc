"""Settings from environment variables."""

from __future__ import annotations

import re
from typing import Any

import pytest

from atila import Atila, SetupError
from atila.app.settings import SETTINGS, Config, Setting, settings_of


def config(**more: Any) -> Config:
    return Config(settings_of(more))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("THREADS", "8", 8),
        ("SHUTDOWN_TIMEOUT", "1.5", 1.5),
        ("SHUTDOWN_TIMEOUT", "2", 2),
        ("STATIC_MAX_AGE", "none", None),
        ("STATIC_URL", "/s", "/s"),
        ("COMPRESS", "yes", True),
        ("COMPRESS", "static", "static"),
        ("STATIC_ROOT", "/a:/b", ["/a", "/b"]),
        ("UPLOAD_FOLDER", "/tmp", "/tmp"),
        ("ACCESS_LOG", "json", "json"),
        ("ACCESS_LOG", "None", None),
        ("HEALTH_PATH", "/health", "/health"),
        ("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8", ["127.0.0.1", "10.0.0.0/8"]),
        ("OPENAPI_INFO", '{"title": "Shop"}', {"title": "Shop"}),
        ("STATIC_FOLDERS", '{"/docs": "/srv/docs"}', {"/docs": "/srv/docs"}),
    ],
)
def test_kinds(monkeypatch, name: str, text: str, value: Any) -> None:
    monkeypatch.setenv(f"ATILA_{name}", text)
    found = config()
    found.check()
    assert found[name] == value
    assert type(found[name]) is type(value)


@pytest.mark.parametrize("text", ["1", "true", "YES", "on"])
def test_flags(monkeypatch, text: str) -> None:
    monkeypatch.setenv("ATILA_TINTED", text)
    found = config(TINTED=False)
    found.check()
    assert found.TINTED is True


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("THREADS", "many"),
        ("THREADS", "0"),
        ("THREADS", "2.5"),
        ("THREADS", "none"),
        ("SHUTDOWN_TIMEOUT", "-1"),
        ("SHUTDOWN_TIMEOUT", "soon"),
        ("SHUTDOWN_TIMEOUT", "nan"),
        ("ACCESS_LOG", "xml"),
        ("COMPRESS", "perhaps"),
        ("LOG_LEVEL", "loud"),
        ("HEALTH_PATH", "health"),
        ("OPENAPI_INFO", "[1]"),
        ("OPENAPI_INFO", "{title"),
    ],
)
def test_a_wrong_value_names_the_variable(monkeypatch, name: str, text: str) -> None:
    monkeypatch.setenv(f"ATILA_{name}", text)
    expected = f"the environment variable ATILA_{name} is {text!r}; it must be "
    with pytest.raises(SetupError, match=re.escape(expected)):
        Atila(__name__).test_client().get("/")


def test_a_secret_is_not_shown(monkeypatch) -> None:
    monkeypatch.setenv("ATILA_KEY", "hidden")
    secret = Setting(None, "a long text", lambda v: v is None, is_secret=True, parse=str)
    with pytest.raises(SetupError) as error:
        config(KEY=secret).check()
    assert "hidden" not in str(error.value)
    assert "ATILA_KEY" in str(error.value)


def test_what_is_no_text_is_set_in_the_code(monkeypatch) -> None:
    monkeypatch.setenv("ATILA_HOOK", "f")
    with pytest.raises(SetupError, match="ATILA_HOOK is set, but"):
        config(HOOK=Setting(None, "a function", lambda v: v is None or callable(v))).check()


def test_it_goes_before_the_code_and_an_empty_one_is_none(monkeypatch) -> None:
    app = Atila(__name__)
    app.config.THREADS = 3
    monkeypatch.setenv("ATILA_THREADS", "")
    app.config.check()
    assert app.config.THREADS == 3
    monkeypatch.setenv("ATILA_THREADS", "5")
    app.route("/")(lambda was: str(was.app.config.THREADS))
    with app.test_client() as client:
        assert client.get("/").text == "5"
        assert app.site.pool.size == 5


def test_it_goes_before_the_options_of_a_script(monkeypatch, tmp_path) -> None:
    from atila.launch import script

    path = tmp_path / "serve.py"
    path.write_text(
        "import skitai\n"
        "from atila import Atila\n"
        "app = Atila(__name__)\n"
        "app.config.THREADS = 2\n"
        "skitai.mount('/', app)\n"
        "skitai.run(port=5000, threads=4)\n"
    )
    for text, threads in (("", 4), ("6", 6)):
        monkeypatch.setenv("ATILA_THREADS", text)
        with script.trial(str(path)) as site:
            assert site.pool.size == threads
    monkeypatch.setenv("ATILA_THREADS", "many")
    with pytest.raises(SetupError, match="ATILA_THREADS is 'many'"), script.trial(str(path)):
        pass


def test_each_setting_of_the_core_can_be_text() -> None:
    assert [name for name, setting in SETTINGS.items() if setting.parse is None] == []
