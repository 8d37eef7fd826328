"""Fill the stack's Secrets Manager with what the functions read by name."""

import json
from typing import Any

from iac.local.rooms import ROOMS
from iac.local.stack import Stack
from kit.service_tokens import derive_public

LLM_PATHS = {"openai": "/v1"}
"""What the vendor's own SDK expects after the address."""
SENDER = "Sinyal <no-reply@sinyal.example>"


def list_secrets(stack: Stack) -> dict[str, dict[str, Any]]:
    """Return {name below `sinyal/<stage>/`: content} of every secret a function may read."""
    made, urls = stack.credentials, stack.sandboxes.urls
    databases = {
        f"db/{room}": {
            "host": stack.postgres.host,
            "port": stack.postgres.port,
            "dbname": stack.postgres.database,
            "user": f"sinyal_{room}",
            "password": made.room_passwords[room],
        }
        for room in ROOMS
    }
    superuser = {
        "host": stack.postgres.host,
        "port": stack.postgres.port,
        "dbname": stack.postgres.database,
        "user": stack.postgres.user,
        "password": stack.postgres.password,
    }
    llm_urls = {
        "openai": f"{urls['openai']}/v1",  # each as its client library's base URL
        "deepseek": urls["deepseek"],
        "anthropic": urls["anthropic"],
        "gemini": urls["gemini"],
    }
    llm = {name: {"api_key": made.llm_key, "base_url": url} for name, url in llm_urls.items()}
    return {
        **databases,
        "db/admin": superuser,
        **llm,
        "redis": {"url": stack.redis.url},
        "clickhouse": stack.clickhouse.secret,
        "jwt": {"seed": made.jwt_seed},
        "mfa": {"key": made.mfa_key},
        "mail-links": {"key": made.mail_links_key},
        "service/api_gateway": {"seed": made.gateway_seed},
        "service-keys": {"api_gateway": derive_public(made.gateway_seed)},
        "midtrans": {
            "server_key": made.midtrans_server_key,
            "client_key": made.midtrans_client_key,
            "merchant_id": made.midtrans_merchant_id,
            "core_url": urls["midtrans"],
            "snap_url": f"{urls['midtrans']}/snap/v1",
        },
        "telegram": {
            "bot_id": made.telegram_bot_id,
            "bot_token": made.telegram_bot_token,
            "webhook_secret": made.telegram_webhook_secret,
            "api_url": urls["telegram"],
        },
        "smtp": {
            "host": stack.sandboxes.smtp_host,
            "port": stack.sandboxes.smtp_port,
            "username": made.smtp_username,
            "password": made.smtp_password,
            "sender": SENDER,
            "tls": False,
        },
    }


def seed_secrets(stack: Stack) -> list[str]:
    """Create every secret in the stack's Secrets Manager; return the full names."""
    client = stack.client("secretsmanager")
    names = []
    for name, content in list_secrets(stack).items():
        full_name = f"sinyal/{stack.stage}/{name}"
        client.create_secret(Name=full_name, SecretString=json.dumps(content))
        names.append(full_name)
    return names
