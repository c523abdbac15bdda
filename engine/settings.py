"""The only reader of the environment: when `load` is called, never on import.

Keys in `.env` win over the process environment, which fills the rest: a stray variable of the login shell must not
redirect a yearly run. Secrets are `SecretStr`: printing the settings shows stars.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from engine.errors import SettingsError

Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseSettings):
    """Effective settings of a process; names are the environment's in lower case."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=False, frozen=True)

    dw_url: SecretStr | None = None
    dw_host: str | None = None
    dw_port: Port = 5433
    dw_name: str = "skala_datawarehouse"
    dw_user: str = "skala_dw_user"
    dw_password: SecretStr | None = None

    app_url: SecretStr | None = None
    app_host: str | None = None
    app_port: Port = 5432
    app_name: str = "skala_application"
    app_user: str = "skala_app_user"
    app_password: SecretStr | None = None

    database_host: str | None = None
    database_port: Port = 5432
    database_name: str = "climate_risk_db"
    database_user: str = "postgres"
    database_password: SecretStr | None = None

    engine_home: Path = Path(".engine")
    data_dir: Path | None = None
    sample_limit: Annotated[int, Field(ge=1)] | None = None
    parallel_workers: Annotated[int, Field(ge=1)] = 4
    etl_workers: Annotated[int, Field(ge=1)] = 4
    #: active cells in a block of a batch: memory follows it
    block_cells: Annotated[int, Field(ge=1)] = 7_135

    @field_validator("sample_limit", "data_dir", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (the signature is the library's)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, dotenv_settings, env_settings

    def _given(self, prefix: str) -> bool:
        return any(name.startswith(prefix) for name in self.model_fields_set)

    @property
    def warehouse_url(self) -> str | None:
        """Address of the climate data; None when nothing points at a server."""
        return self._address("dw")

    @property
    def application_url(self) -> str | None:
        """Address of results and jobs; None when nothing points at a server."""
        return self._address("app")

    def _address(self, side: str) -> str | None:
        url: SecretStr | None = getattr(self, f"{side}_url")
        if url is not None:
            if not url.get_secret_value():
                raise SettingsError(f"{side.upper()}_URL is set but empty")
            return url.get_secret_value()
        prefix = side if self._given(f"{side}_") else "database"
        if not self._given(f"{prefix}_"):
            return None
        password: SecretStr | None = getattr(self, f"{prefix}_password")
        if password is None or not password.get_secret_value():
            name = f"{prefix.upper()}_PASSWORD"
            raise SettingsError(
                f"{name} is not set: a server is configured by {prefix.upper()}_*, but without a password"
            )
        host = getattr(self, f"{prefix}_host") or "localhost"
        user, name = quote(getattr(self, f"{prefix}_user"), safe=""), quote(getattr(self, f"{prefix}_name"), safe="")
        key, port = quote(password.get_secret_value(), safe=""), getattr(self, f"{prefix}_port")
        if host.startswith("/"):  # a socket folder
            return f"postgresql://{user}:{key}@/{name}?host={quote(host)}&port={port}"
        return f"postgresql://{user}:{key}@{host}:{port}/{name}"


def load(env_file: Path = Path(".env")) -> Settings:
    """Read `.env` and the environment; one sentence per fault, without the value of a secret."""
    try:
        return Settings(_env_file=env_file)  # type: ignore[call-arg]
    except ValidationError as err:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']).upper()}: {fault['msg'].lower()}" for fault in err.errors()
        )
        raise SettingsError(faults) from None
