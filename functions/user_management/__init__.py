"""Room card: user_management (port 8021 alone).

Purpose: tenants and their life, members and invitations, profiles, trading preferences, the proof
    of an e-mail address, consents (UU PDP), closure and erasure, and user analytics for the
    business. Doors: ``/v1/auth/verify-email*`` (open), ``/v1/users/*``, ``/v1/tenants*``, a queue.
Events in: UserRegistered, InvitationAccepted, EmailChanged (user_service); TenantErased
    (database_service).
Commands in: ResendVerification (its own door's), EraseClosedTenants (clock).
Events out: EmailVerificationRequested and MemberInvited (carry secret tokens of mails),
    EmailVerified, InvitationRevoked, MemberRoleChanged, MemberRemoved, ProfileChanged,
    TradingPreferencesChanged, TenantSuspended, TenantReinstated, TenantClosed, AuditRecorded.
    Commands out: ResendVerification, EraseTenant.
Tables owned: tenants, tenant_transitions, profiles, verification_tokens, invitations, mail_slots,
    preferences, consent_documents, consents. Reads ``events`` of ClickHouse (staff's analytics).
Secrets: ``db/user_management``, ``mail-links`` {key: 32 characters or more}, ``clickhouse``.
Members: admins manage traders, viewers and other admins, never the owner; the owner hands the
    ownership over. A verified tenant is active once its owner consents to the present terms and
    risk notice; sign-in and the product work in both states.
"""
