"""Settings of a process: every field with its default, checked; `settings.load` fills them."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from engine.core import address, profile_file, setting_values, settings_files, webhook_address
from engine.core.errors import SettingsError
from engine.core.profile import Profile
from engine.core.profiles import PROFILES
from engine.core.settings_places import forbidden_by_environment, placed

#: characters of the key that webhooks are signed with
_SHORTEST_SECRET = 16
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1)]
Month = Annotated[int, Field(ge=1, le=12)]
Day = Annotated[int, Field(ge=1, le=31)]
Hour = Annotated[int, Field(ge=0, le=23)]
Minute = Annotated[int, Field(ge=0, le=59)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
#: written in one line, separated by commas
Listed = Annotated[tuple[str, ...], NoDecode]
Percentages = Annotated[tuple[float, ...], NoDecode]


class Settings(BaseSettings):
    """Effective settings of a process; names are the environment's in lower case."""

    model_config = SettingsConfigDict(
        env_file=None,
        env_file_encoding=settings_files.ENCODING,
        extra="ignore",
        env_ignore_empty=False,
        frozen=True,
    )

    dw_url: SecretStr | None = Field(None, description="postgresql://user:password@host:port/name; wins over the parts")
    dw_host: str = Field(
        "localhost", description="name, IPv4 or IPv6 address, socket folder, or a,b; a port behind it wins over DW_PORT"
    )
    dw_port: Port = 5433
    dw_name: str = "skala_datawarehouse"
    dw_user: str = "skala_dw_user"
    dw_password: SecretStr | None = Field(None, description="no default: a server without a password is refused")

    app_url: SecretStr | None = Field(None, description="as DW_URL")
    app_host: str = "localhost"
    app_port: Port = 5432
    app_name: str = "skala_application"
    app_user: str = "skala_app_user"
    app_password: SecretStr | None = None

    database_host: str = "localhost"
    database_port: Port = 5432
    database_name: str = "climate_risk_db"
    database_user: str = "postgres"
    database_password: SecretStr | None = None

    engine_home: Path = Field(Path(settings_files.DEFAULT_HOME), description="embedded server, run directories, sample")
    embedded: bool = Field(
        True,
        description="false: what has no server of its own (DW_*, APP_*) is refused, as by --servers, instead of taking"
        " the embedded one and its sample; false holds wherever it stands, here or in the environment",
    )
    data_dir: Path | None = Field(None, description="raw files of the loaders")
    sample_limit: Count | None = Field(None, description="the loaders keep this many cells")
    parallel_workers: Count = Field(4, description="database connections that read or load")
    etl_workers: Count = Field(4, description="database connections of the loaders")
    block_cells: Count = Field(4_096, description="active cells in a block of a batch: memory follows it")
    batch_size: Count = Field(1_000, description="sites per upsert of a portfolio")
    compute_threads: Count | None = Field(
        None,
        description="threads of the kernels in a process; not set: the cores that it may use. No result depends on it",
    )
    kernel_cache: str | None = Field(
        None,
        description="folder of compiled kernels, or off; not set: ~/.cache/climate-risk-engine/kernels",
    )
    year_losses: bool = Field(
        True, description="off: batches do not store the loss of each year, without which there are no loss curves"
    )
    country: str = Field(
        PROFILES[0],
        description=f"profile of currency, regions and national figures: {', '.join(PROFILES)} or FILE.toml"
        " (docs/country.md)",
    )
    edition: str | None = Field(None, description="methodology of batches, NAME or FILE; not set: that of --help")
    keep_runs: Count | None = Field(None, description="run directories that `jobs.clean` keeps; not set: all")
    keep_portfolio_days: Count | None = Field(
        None,
        description="days that `jobs.clean` keeps an uploaded portfolio after its job has ended; not set: for ever",
    )

    kma_api_key: SecretStr | None = Field(None, description="weather agency: best tracks")
    data_go_kr_api_key: SecretStr | None = Field(None, description="public-data portal: building register")
    vworld_api_key: SecretStr | None = Field(None, description="address service: places of lots")

    notify_dsn: SecretStr | None = Field(
        None, description="database of LISTEN and NOTIFY; default: the application database"
    )
    notify_channel: str = "aiops_trigger"
    scheduled_runs: bool = Field(
        True, description="the listener starts the yearly batches; false where something else does, such as a CronJob"
    )
    schedule_timezone: str | None = Field(None, description="such as Asia/Seoul; not set: time_zone of COUNTRY")
    probability_schedule_month: Month = 1
    probability_schedule_day: Day = 1
    probability_schedule_hour: Hour = 2
    probability_schedule_minute: Minute = 0
    hazard_schedule_month: Month = 1
    hazard_schedule_day: Day = 1
    hazard_schedule_hour: Hour = 4
    hazard_schedule_minute: Minute = 0
    cache_clean_hour: Hour = 3
    cache_clean_minute: Minute = 0
    misfire_grace_hours: Positive = Field(6, description="a firing missed by less than this runs at start")
    shutdown_grace_seconds: Positive = Field(30, description="time for running jobs to end before they are interrupted")

    webhook_urls: SecretStr | None = Field(
        None, description="https addresses told that a run was published or a job ended, commas between them"
    )
    webhook_secret: SecretStr | None = Field(None, description="key of X-Signature, 16 characters or more")
    webhook_allow_http: bool = Field(False, description="plain http addresses, inside a closed network")

    api_host: str = Field(
        "127.0.0.1", description="this machine alone; 0.0.0.0 opens the service to the network: set API_KEY, then"
    )
    api_port: Port = 8001
    api_public_url: str | None = Field(
        None, description="what clients call the service, https://risk.example.org/climate; wins over what requests say"
    )
    api_root_path: str | None = Field(
        None, description="path below which a proxy shows the service, /climate; not set: that of API_PUBLIC_URL"
    )
    api_trusted_proxies: Listed = Field(
        ("127.0.0.1", "::1"),
        description="addresses and networks whose X-Forwarded-For, -Proto, -Host and -Prefix count; * is everybody",
    )
    api_header_seconds: Positive = Field(10, description="time for the head of a request to arrive")
    api_body_seconds: Positive = Field(30, description="time for its body, and a second more a kilobyte")
    api_key: SecretStr | None = Field(None, description="X-API-Key of everything under /api; /admin always needs one")
    api_cors_origins: Listed = Field(
        (), description="origins of other sites' pages, https://a.example,https://b.example"
    )
    api_pool_size: Count = Field(10, description="database connections of the service")
    api_max_body_bytes: Count = Field(1_000_000, description="of a request; a portfolio has its own limit")
    portfolio_max_bytes: Count = Field(256_000_000, description="of a portfolio, as it is sent and as it is unpacked")
    portfolio_max_rows: Count = Field(
        1_000_000, description="that a portfolio sent to the service, or packed, may hold"
    )
    assess_workers: Count = Field(5, description="threads of the process that takes queued assessments")
    assess_batch: Count = Field(100, description="single sites that wait and are taken together, by one thread")
    log_format: Literal["text", "json"] = "text"

    asset_value_cap_krw: Positive | None = Field(
        None, description="asset value that counts as 1, in KRW; not set: reference_value of COUNTRY"
    )
    area_cap_m2: Positive = Field(1e4, description="gross floor area that counts as 1")
    aal_level_cuts_pct: Percentages = Field(
        (0.1, 0.3, 1.0, 3.0), description="lower ends of AAL levels low, moderate, high, critical"
    )
    building_search_radius_m: Positive = 500
    spatial_missing_policy: Literal["fail", "impute"] = Field(
        "fail", description="a risk without its spatial input fails, or takes the national mean, flagged"
    )

    @field_validator(
        "sample_limit",
        "kernel_cache",
        "keep_runs",
        "keep_portfolio_days",
        "data_dir",
        "edition",
        "asset_value_cap_krw",
        "schedule_timezone",
        "api_public_url",
        "api_root_path",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("*", mode="before")
    @classmethod
    def _no_password_in_the_open(cls, value: object, info: ValidationInfo) -> object:
        # what is no secret is shown, by `jobs.config` and in messages
        if isinstance(value, str) and not is_secret(str(info.field_name)) and address.masked(value) != value:
            raise ValueError("it holds a password, which belongs to a *_URL, *_DSN or *_PASSWORD: this value is shown")
        return value

    @field_validator("engine_home", "data_dir", "kernel_cache", "edition", "country", mode="before")
    @classmethod
    def _home_of_a_user(cls, value: object, info: ValidationInfo) -> object:
        if info.field_name == "engine_home" and value == "":
            return settings_files.DEFAULT_HOME
        if not (isinstance(value, str) and value.startswith("~")):
            return value
        return str(settings_files.expanded(value, str(info.field_name).upper()))

    @field_validator("country")
    @classmethod
    def _is_a_profile(cls, value: str) -> str:
        try:
            profile_file.load(value)
        except SettingsError as err:
            raise ValueError(str(err)) from None
        return value

    @field_validator("embedded")
    @classmethod
    def _no_is_no(cls, value: bool) -> bool:
        # a file of settings that is shared by machines must not loosen what this machine forbids
        return value and not forbidden_by_environment()

    _split = field_validator("api_cors_origins", "api_trusted_proxies", "aal_level_cuts_pct", mode="before")(
        setting_values.split
    )
    _origins = field_validator("api_cors_origins")(setting_values.origins)
    _networks = field_validator("api_trusted_proxies")(setting_values.networks)
    _web_address = field_validator("api_public_url")(setting_values.web_address)
    _path = field_validator("api_root_path")(setting_values.path)
    _four_ascend = field_validator("aal_level_cuts_pct")(setting_values.four_ascending)
    _not_empty = field_validator("api_key", "notify_dsn")(setting_values.not_empty)
    _channel = field_validator("notify_channel")(setting_values.channel)
    _zone = field_validator("schedule_timezone")(setting_values.time_zone)

    @model_validator(mode="after")
    def _every_year(self) -> Settings:
        for job in ("probability", "hazard"):
            month, day = (getattr(self, f"{job}_schedule_{part}") for part in ("month", "day"))
            if day > calendar.monthrange(2001, month)[1]:  # not a leap year
                raise ValueError(f"{job.upper()}_SCHEDULE_DAY: month {month} does not have a day {day} every year")
        return self

    @model_validator(mode="after")
    def _money_is_of_the_country(self) -> Settings:
        currency = self.profile.currency.code
        if self.asset_value_cap_krw is not None and currency != "KRW":
            raise ValueError(
                f"ASSET_VALUE_CAP_KRW is set, but COUNTRY {self.country} is in {currency}: state reference_value there"
            )
        return self

    @model_validator(mode="after")
    def _webhooks_are_safe(self) -> Settings:
        for number, url in enumerate(self.webhook_targets, 1):
            if fault := webhook_address.fault(url, allow_http=self.webhook_allow_http):
                raise ValueError(f"WEBHOOK_URLS: address {number} {fault}")
        secret = self.webhook_secret.get_secret_value() if self.webhook_secret else ""
        if self.webhook_targets and len(secret.strip()) < _SHORTEST_SECRET:
            what = "is too short" if secret else "is not set"
            raise ValueError(
                f"WEBHOOK_SECRET {what}: webhooks are signed with it, {_SHORTEST_SECRET} characters or more"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (the signature is the library's)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, dotenv_settings, env_settings, file_secret_settings

    @property
    def profile(self) -> Profile:
        """The country profile; its reference value is that of ASSET_VALUE_CAP_KRW where this is set."""
        found = profile_file.load(self.country)
        return found if self.asset_value_cap_krw is None else replace(found, reference_value=self.asset_value_cap_krw)

    @property
    def zone(self) -> str:
        """Name of the time zone of the schedule."""
        return self.schedule_timezone or self.profile.time_zone

    def _given(self, prefix: str) -> bool:
        return any(name.startswith(prefix) for name in self.model_fields_set)

    def key(self, name: str) -> str:
        """A key of a web service; refuses when it is not set, naming the variable."""
        value: SecretStr | None = getattr(self, name)
        if value is None or not value.get_secret_value():
            raise SettingsError(f"{name.upper()} is not set: the service wants a key")
        return value.get_secret_value()

    @property
    def warehouse_url(self) -> str | None:
        """Address of the climate data; None when nothing points at a server."""
        return self._address("dw")

    @property
    def application_url(self) -> str | None:
        """Address of results and jobs; None when nothing points at a server."""
        return self._address("app")

    @property
    def notify_url(self) -> str | None:
        """Address of LISTEN and NOTIFY; None for that of the application database."""
        return None if self.notify_dsn is None else self._required("notify_dsn")

    @property
    def webhook_targets(self) -> tuple[str, ...]:
        """Addresses of the webhooks, each once; they may hold secrets."""
        return webhook_address.split(self.webhook_urls.get_secret_value() if self.webhook_urls else "")

    def _address(self, side: str) -> str | None:
        if getattr(self, f"{side}_url") is not None:
            return self._required(f"{side}_url")
        prefix = side if self._given(f"{side}_") else "database"
        if not self._given(f"{prefix}_"):
            return None
        password: SecretStr | None = getattr(self, f"{prefix}_password")
        if password is None or not password.get_secret_value():
            name = f"{prefix.upper()}_PASSWORD"
            fault = f"{name} is not set: a server is configured by {prefix.upper()}_*, but without a password"
            raise SettingsError(in_place(fault))
        parts = {part: getattr(self, f"{prefix}_{part}") for part in ("host", "port", "user", "name")}
        with _of_settings():
            return address.Parts(prefix=prefix.upper(), password=password.get_secret_value(), **parts).url()

    def _required(self, name: str) -> str:
        """An address that is set."""
        with _of_settings():
            return address.require(getattr(self, name).get_secret_value(), name.upper())


def in_place(fault: str) -> str:
    """`placed`, of our settings."""
    return placed(fault, Settings.model_fields.keys())


@contextmanager
def _of_settings() -> Iterator[None]:
    """What is refused of a setting names the file and the line that set it."""
    try:
        yield
    except SettingsError as err:
        raise SettingsError(in_place(str(err))) from None


def is_secret(name: str) -> bool:
    """True when the value of a setting must not be shown."""
    annotation = Settings.model_fields[name].annotation
    return SecretStr in (annotation, *get_args(annotation))
