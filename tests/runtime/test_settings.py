import pytest
from pydantic import ValidationError

from workers.runtime.settings import Settings


def test_roles_of_ones_own_are_joined_by_commas(monkeypatch):
    monkeypatch.setenv("FLOTILLA_EXTRA_ROLES", "translator, word_counter")
    assert Settings().extra_roles == ("translator", "word_counter")


def test_a_role_that_is_no_token_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("FLOTILLA_EXTRA_ROLES", "a role")
    with pytest.raises(ValidationError, match="extra_roles"):
        Settings()


def test_settings_of_the_sandbox_are_nested_by_one_underscore(monkeypatch):
    monkeypatch.setenv("FLOTILLA_SANDBOX_MINIMUM", "bubblewrap")
    monkeypatch.setenv("FLOTILLA_SANDBOX_CPU_S", "7")
    assert (Settings().sandbox.minimum, Settings().sandbox.cpu_s) == ("bubblewrap", 7)


def test_a_variable_that_is_empty_is_as_good_as_not_set(monkeypatch):
    monkeypatch.setenv("FLOTILLA_MODELS_FILE", "")
    monkeypatch.setenv("FLOTILLA_DAILY_BUDGET_USD", "")
    assert (Settings().models_file, Settings().daily_budget_usd) == (None, None)


def test_settings_can_not_be_changed_once_read():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().tenant = "other"
