"""user_management: tenants, members' profiles, and the proof of an e-mail address.

Port alone: 8021. Doors: ``/v1/auth/verify-email`` (open), ``/v1/users/me``,
``/v1/tenants/members``, one queue.
Events in: UserRegistered (user_service) makes the tenant and its owner's profile.
Events out: EmailVerificationRequested (carries the mail's secret token), EmailVerified.
Tables: tenants, profiles, verification_tokens (a tenant's own rows only).
Secrets: ``db/user_management``.
"""
