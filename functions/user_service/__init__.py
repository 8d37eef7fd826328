"""Room card: user_service (port 8009 alone).

Purpose: who may sign in, and with which token. Doors: ``/v1/auth/*``, ``/.well-known/jwks.json``,
    one queue, and ``python -m functions.user_service.admin`` for the platform's own accounts.
Events in: EmailVerified (user_management) makes an account active; MemberInvited,
    InvitationRevoked, MemberRoleChanged, MemberRemoved, ProfileChanged, TenantSuspended,
    TenantReinstated, TenantClosed (user_management) say who belongs where; EntitlementsChanged
    (subscription_service) sets the tier that tokens carry; RotateSigningKeys (schedule).
Events out: UserRegistered, InvitationAccepted, UserSignedIn, PasswordResetRequested,
    EmailChangeRequested, EmailChanged, SecurityAlertRaised, AccessRevoked, AuditRecorded.
Tables owned: users, tenant_tiers, tenant_states, sessions, refresh_tokens, known_devices,
    totp_factors, recovery_codes, account_tokens, invitations, login_attempts, api_keys.
In Redis: guesses (``{throttle}:*``) and marks of ended access (``contracts.access_keys``).
Secrets: ``jwt`` {seed} or {keys}, ``mfa`` {key}, ``redis``, ``service-keys``, ``db/user_service``.
"""
