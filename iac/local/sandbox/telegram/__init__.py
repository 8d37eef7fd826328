"""Telegram sandbox: the Bot API methods a bot on webhooks needs, with its checks and limits."""
