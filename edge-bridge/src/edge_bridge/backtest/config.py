"""What a backtest is told: one TOML file, every key checked before anything runs.

The limits are the ones that tenants have (`contracts.trading_limits.TradingLimits`), so a file
that was tried here says what the edge will do.
"""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contracts.trading_limits import TradingLimits
from edge_bridge.adapters.paper.settings import AccountSettings, SymbolSettings
from edge_bridge.errors import EdgeError

Money = Annotated[Decimal, Field(max_digits=15, decimal_places=2)]
Distance = Annotated[int, Field(ge=1, le=1_000_000)]


class ConfigUnusable(EdgeError):
    """The configuration cannot be used; the message names the key and what is expected."""


class Section(BaseModel):
    """A table of the file; a key it does not know is an error, so that no typo is ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AccountSection(Section):
    """The simulated account. Money in units of the currency, such as 10000.00."""

    currency: str = Field(default="USD", pattern="^[A-Z]{3}$")
    balance: Money = Field(default=Decimal(10_000), gt=0)
    leverage: int = Field(default=100, ge=1, le=5_000)
    commission_per_lot: Money = Field(default=Decimal(0), ge=0)
    """For each lot and side."""


class SymbolSection(Section):
    """The symbol and its broker's terms. Distances in points, volumes in hundredths of a lot."""

    name: str = Field(pattern=r"^[A-Z]{6}[A-Za-z0-9._-]{0,23}$")
    contract_size: int = Field(default=100_000, ge=1)
    stops_level: int = Field(default=10, ge=0)
    volume_min: int = Field(default=1, ge=1)
    volume_max: int = Field(default=10_000, ge=1)
    volume_step: int = Field(default=1, ge=1)
    swap_long: int = 0
    """Points a lot and night; negative is paid."""
    swap_short: int = 0


class MarketSection(Section):
    """How the recording becomes a market."""

    latency_ms: int = Field(default=0, ge=0, le=60_000)
    """From the tick that gave a signal to the price at which its order is filled."""
    bar_spread: int = Field(default=10, ge=1, le=100_000)
    """Points between bid and ask where the file holds bars of bids."""
    looks: Literal["minutes", "events"] = "minutes"
    """``minutes``: the engine looks at every minute's end, so that fills are those of the paper
    replay. ``events``: it looks only at signals while nothing is open; faster, and equal as long
    as no size or limit depends on prices read in between (margins and tick values are read anew
    every few minutes)."""


class EmaCrossSection(Section):
    """Buy when the fast average rises through the slow one, sell when it falls through."""

    kind: Literal["ema_cross"]
    fast: int = Field(default=50, ge=1, le=100_000)
    slow: int = Field(default=200, ge=2, le=1_000_000)
    stop: Distance = 200
    target: Distance = 300
    horizon_s: int = Field(default=900, ge=1, le=2_592_000)
    probability: float = Field(default=0.6, gt=0.5, lt=1)
    """Of being right: a sell's signal carries its complement."""
    size_factor: float = Field(default=1.0, gt=0, le=1)

    @model_validator(mode="after")
    def _fast_is_faster(self) -> "EmaCrossSection":
        if self.fast >= self.slow:
            raise ValueError("fast must be less than slow")
        return self


class FileSection(Section):
    """Signals made elsewhere: SignalIssued as JSON lines, or as columns of a Parquet file."""

    kind: Literal["file"]
    path: Path
    """Seen from the folder of the configuration."""


SignalSection = Annotated[EmaCrossSection | FileSection, Field(discriminator="kind")]


class BacktestConfig(Section):
    """One backtest."""

    account: AccountSection = AccountSection()
    symbol: SymbolSection
    market: MarketSection = MarketSection()
    limits: TradingLimits = TradingLimits()
    signals: SignalSection

    @model_validator(mode="after")
    def _profit_can_be_converted(self) -> "BacktestConfig":
        pair = self.symbol.name[:3], self.symbol.name[3:6]
        if self.account.currency not in pair:
            raise ValueError(
                f"account.currency: {self.account.currency} is neither side of {self.symbol.name},"
                f" so there is no rate for its profits; use {pair[0]} or {pair[1]}"
            )
        return self

    def make_account(self, login: int, server: str) -> AccountSettings:
        """The account as the simulated broker grants it."""
        return AccountSettings(
            login=login,
            server=server,
            currency=self.account.currency,
            balance=_to_cents(self.account.balance),
            leverage=self.account.leverage,
        )

    def make_symbol(self, digits: int) -> SymbolSettings:
        """The symbol as the simulated broker lists it."""
        terms = self.symbol
        return SymbolSettings(
            name=terms.name,
            digits=digits,
            currency_base=terms.name[:3],
            currency_profit=terms.name[3:6],
            contract_size=terms.contract_size,
            volume_min=terms.volume_min,
            volume_max=terms.volume_max,
            volume_step=terms.volume_step,
            stops_level=terms.stops_level,
            commission_per_lot=_to_cents(self.account.commission_per_lot),
            swap_long=terms.swap_long,
            swap_short=terms.swap_short,
        )


def _to_cents(amount: Decimal) -> int:
    return int(amount * 100)


def read_config(path: Path) -> BacktestConfig:
    """Read and check a file. Raises ConfigUnusable, which lists everything that is wrong."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigUnusable(f"{path}: {error}") from error
    config = parse_config(data, str(path))
    if isinstance(config.signals, FileSection):
        found = path.parent / config.signals.path
        signals = config.signals.model_copy(update={"path": found})
        config = config.model_copy(update={"signals": signals})
    return config


def parse_config(data: dict[str, Any], name: str = "configuration") -> BacktestConfig:
    """Check a configuration given as plain values. Raises ConfigUnusable."""
    wrong: list[str] = []
    if isinstance(data.get("limits"), dict):
        wrong += [f"{key}: unknown key" for key in _find_unknown(TradingLimits, data["limits"])]
    try:
        config = BacktestConfig.model_validate(data)
    except ValidationError as error:
        wrong += [_word(dict(each)) for each in error.errors()]
    if wrong:
        raise ConfigUnusable(f"{name}: " + "; ".join(wrong))
    return config


def _word(error: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in error["loc"] if part not in ("ema_cross", "file"))
    return f"{place}: {error['msg']}" if place else str(error["msg"])


def _find_unknown(model: type[BaseModel], data: dict[str, Any], path: str = "limits") -> list[str]:
    """Contracts ignore what they do not know; a file that a person wrote must not be ignored."""
    unknown: list[str] = []
    for key, value in data.items():
        field = model.model_fields.get(key)
        if field is None:
            unknown.append(f"{path}.{key}")
            continue
        inner = _find_model(field.annotation)
        for part in value if isinstance(value, list) else [value]:
            if inner is not None and isinstance(part, dict):
                unknown += _find_unknown(inner, part, f"{path}.{key}")
    return unknown


def _find_model(annotation: Any) -> type[BaseModel] | None:
    """The model inside a field's type, also that of a tuple's elements."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    parts = (_find_model(each) for each in getattr(annotation, "__args__", ()))
    return next((part for part in parts if part is not None), None)
