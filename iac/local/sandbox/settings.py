"""Keys and addresses of the sandboxes, from the environment; checked before anything starts."""

from pydantic_settings import BaseSettings, SettingsConfigDict

MIDTRANS_NOTIFICATION_PATH = "/v1/payments/midtrans/notifications"
TELEGRAM_WEBHOOK_PATH = "/v1/telegram/webhook"


class SandboxSettings(BaseSettings):
    """Environment variables SANDBOX_*.

    webhook_url is the API's base address; each vendor adds its own path. It may stay empty and
    be set later through each vendor's /_sandbox/config.
    """

    model_config = SettingsConfigDict(env_prefix="SANDBOX_")

    midtrans_server_key: str
    merchant_id: str
    telegram_token: str
    telegram_bot_id: int
    telegram_webhook_secret: str
    llm_key: str
    smtp_user: str
    smtp_password: str
    webhook_url: str = ""
    webhook_host: str = ""

    def midtrans_webhook(self) -> str:
        """Return where Midtrans posts notifications, or an empty text."""
        base = self.webhook_url.rstrip("/")
        return f"{base}{MIDTRANS_NOTIFICATION_PATH}" if base else ""

    def telegram_webhook(self) -> str:
        """Return where Telegram posts updates, or an empty text."""
        base = self.webhook_url.rstrip("/")
        return f"{base}{TELEGRAM_WEBHOOK_PATH}/{self.telegram_bot_id}" if base else ""
