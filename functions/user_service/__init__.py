"""user_service: who may sign in, and with which token.

Port alone: 8009. Doors: ``/v1/auth/register|login|refresh|logout``, ``/.well-known/jwks.json``, one
queue, and ``python -m functions.user_service.admin`` for the platform's own account.
Events in: EmailVerified (user_management) makes an account active; EntitlementsChanged
(subscription_service) sets the tier that tokens carry.
Events out: UserRegistered.
Tables: users, sessions, refresh_tokens, tenant_tiers (a tenant's own rows only), login_attempts.
Secrets: ``jwt`` {seed}, ``db/user_service``.
"""
