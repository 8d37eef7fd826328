"""Room card: user_management (port 8021 alone).

Purpose: tenants, members' profiles, and the proof of an e-mail address. Doors:
    ``/v1/auth/verify-email`` (open), ``/v1/users/me``, ``/v1/tenants/members``, one queue.
Events in: UserRegistered (user_service) makes the tenant and its owner's profile.
Events out: EmailVerificationRequested (carries the mail's secret token), EmailVerified.
Tables owned: tenants, profiles, verification_tokens.
Secrets: ``db/user_management``.
"""
