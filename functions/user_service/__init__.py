"""Room card: user_service (port 8009 alone).

Purpose: who may sign in, and with which token. Doors: ``/v1/auth/register|login|refresh|logout``,
    ``/.well-known/jwks.json``, one queue, and ``python -m functions.user_service.admin`` for the
    platform's own account.
Events in: EmailVerified (user_management) makes an account active; EntitlementsChanged
    (subscription_service) sets the tier that tokens carry.
Events out: UserRegistered.
Tables owned: users, sessions, refresh_tokens, tenant_tiers, login_attempts.
Secrets: ``jwt`` {seed}, ``db/user_service``.
"""
