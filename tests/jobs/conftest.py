"""What tests of jobs share."""

import pytest

from engine.core.settings import Settings


@pytest.fixture
def here(monkeypatch, tmp_path):
    """An empty folder to work in, with an ENGINE_HOME inside and no setting but where compiled kernels are kept."""
    for name in Settings.model_fields:
        if name != "kernel_cache":
            monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path
