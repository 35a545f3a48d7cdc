"""What the dashboard shows when it knows, and when it does not."""

import importlib.util

import pytest

from harness.cell import LOCAL

SPEC = importlib.util.spec_from_file_location(
    "dashboard", LOCAL / "dashboard.py")
dashboard = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(dashboard)


@pytest.fixture
def fleet(monkeypatch, tmp_path):
    """One that nobody answers: no daemon, no database."""
    monkeypatch.setattr(dashboard, "Answers", lambda bootstrap: type(
        "None_", (), {"count": 0, "percentiles": lambda self: (None, None)})())
    (tmp_path / "env").write_text(
        "BOOTSTRAP=127.0.0.1:1\nDATABASE_URL=postgresql://127.0.0.1:1/x\n")
    return dashboard.Fleet(tmp_path)


def screen(seen, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    return "\n".join(dashboard.Screen().lines(seen, 200, 40))


def test_what_it_does_not_know_is_unknown(fleet, monkeypatch, capsys):
    seen = fleet.look()
    for text in (dashboard.line(seen), screen(seen, monkeypatch)):
        assert "None" not in text
        assert "breaks unknown" in text
    assert "paused unknown" in dashboard.line(seen)
    assert "dead_letters unknown" in dashboard.line(seen)
    assert "unknown waiting" in screen(seen, monkeypatch)


@pytest.mark.parametrize("scopes, told", [
    ("", "paused no"), ("trading", "paused trading")])
def test_a_pause_is_shown(fleet, scopes, told):
    seen = {**fleet.look(), "paused": scopes}
    assert told in dashboard.line(seen)


def test_dead_letters_are_shown_with_where_to_look(fleet, monkeypatch):
    seen = {**fleet.look(), "letters": (3, 40)}
    assert "3 waiting, oldest 40 s   outbox-relay dlq list" in screen(
        seen, monkeypatch)
    (fleet.state / "run").mkdir()
    (fleet.state / "run" / "console.port").write_text("9604\n")
    seen = {**fleet.look(), "letters": (3, 40)}
    assert "oldest 40 s   http://127.0.0.1:9604/" in screen(seen, monkeypatch)
