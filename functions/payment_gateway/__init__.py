"""Room card: payment_gateway (port 8023 alone).

Purpose: collects what invoices ask for through Midtrans, and believes only Midtrans' own status.
Events in: InvoiceFinalized, PaymentNotificationReceived (its own, from the webhook).
Events out: PaymentInitiated, PaymentNotificationReceived, PaymentSettled, PaymentFailed.
Tables owned: payables, payments, notifications, legal_transitions (read-only to the room).
"""
