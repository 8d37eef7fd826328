"""Bring a running stack to this working copy's state: schemas, secrets, then template.yaml."""

import sys
import time
from collections.abc import Callable
from typing import Any

from iac.local.process import run_command
from iac.local.room_env import make_room_env
from iac.local.secret_store import seed_secrets
from iac.local.stack import Progress, Stack, ignore_progress


def migrate_and_deploy(stack: Stack, progress: Progress = ignore_progress) -> None:
    """Apply the migrations, create the secrets, deploy, make the administrator."""
    from functions.database_service.migrate import migrate
    from iac.local.deploy import deploy

    steps: dict[str, Callable[[], Any]] = {
        "migrations": lambda: migrate(
            stack.postgres.dsn, stack.credentials.room_passwords, stack.clickhouse.secret
        ),
        "secrets": lambda: seed_secrets(stack),
        "deployment": lambda: deploy(stack),
        "administrator": lambda: make_administrator(stack),
    }
    for name, step in steps.items():
        began = time.monotonic()
        progress(name, "starting", 0.0)
        succeeded = False
        try:
            step()
            succeeded = True
        finally:
            progress(name, "ready" if succeeded else "failed", time.monotonic() - began)


def make_administrator(stack: Stack) -> None:
    """Give the platform its administrator: the `admin` of stack.json."""
    made = stack.credentials
    run_command(
        "administrator",
        [sys.executable, "-m", "functions.user_service.admin", "--email", made.admin_email],
        log_dir=stack.var / "logs",
        env={
            **make_room_env("user_service", stack.aws_endpoint),
            "SINYAL_ADMIN_PASSWORD": made.admin_password,
        },
        cwd=stack.root,
    )
