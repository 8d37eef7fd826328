"""Room card: notification_service (port 8024 alone).

Purpose: tells tenants what happened, on Telegram and by e-mail, in Indonesian or English.
Events in: EmailVerificationRequested, PasswordResetRequested, EmailChangeRequested, MemberInvited,
    SecurityAlertRaised, TenantExportReady (mails); OrderFilled, PositionClosed, PaymentInitiated,
    InvoicePaid, QuotaExhausted, KillSwitchChanged, AccountHealthChanged (given up only),
    ReconciliationDiffered (foreign positions only) (Telegram).
Commands in: DeliverPending (every minute, from a schedule).
Events out: NotificationDelivered.
Tables owned: chats, link_tokens, notifications, telegram_updates.
"""
