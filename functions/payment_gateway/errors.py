"""What can go wrong in payment_gateway."""

from kit.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    PoisonMessage,
    SinyalError,
    Unavailable,
    Unprocessable,
)


class BadNotification(BadRequest):
    """A notification that Midtrans would not send."""

    code, title = "bad_notification", "This is not a notification of Midtrans"


class BadSignature(Forbidden):
    """A notification whose signature is not ours and Midtrans'."""

    code, title = "bad_signature", "The signature is wrong"


class OrderUnknown(NotFound):
    """A signed notification names an order we never made."""

    code, title = "order_unknown", "There is no such order"


class PaymentMissing(NotFound):
    """No such payment, or another tenant's."""

    code, title = "payment_missing", "There is no such payment"


class InvoiceUnknown(NotFound):
    """No such invoice to pay, or another tenant's."""

    code, title = "invoice_unknown", "There is no such invoice to pay"


class InvoiceAlreadyPaid(Conflict):
    """Nothing is owed on this invoice."""

    code, title = "invoice_already_paid", "The invoice is paid already"


class TooManyAttempts(Conflict):
    """An invoice had more attempts than a person would make."""

    code, title = "too_many_attempts", "Too many payment attempts for this invoice"


class AmountTooSmall(Unprocessable):
    """The bank takes no transfers this small."""

    code, title = "amount_too_small", "The amount is below the bank's minimum"


class OutcomeUnknown(Unavailable):
    """Midtrans did not answer clearly; only its status tells what happened."""

    code, title = "payment_outcome_unknown", "Midtrans did not answer, try again shortly"


class MidtransBusy(Unavailable):
    """Midtrans asked us to slow down."""

    code, title = "payment_provider_busy", "Midtrans is busy, try again shortly"


class DuplicateOrder(Conflict):
    """Midtrans knows this order already; its status is to be adopted."""

    code, title = "duplicate_order", "The order exists at Midtrans"
    retryable = True


class ChargeRefused(SinyalError):
    """Midtrans refused the charge for good; asking again changes nothing."""

    code, status, title = "charge_refused", 502, "Midtrans refused the charge"


class MidtransKeyRefused(SinyalError):
    """Our server key is wrong or blocked; operators must act."""

    code, status, title = "payment_provider_key", 502, "Payments are not available"


class StatusBehind(Unavailable):
    """Midtrans' status does not yet show what its signed notification says."""

    code, title = "status_behind", "Midtrans' status is behind its notification"


class PaymentMismatch(PoisonMessage):
    """Midtrans' status is about another amount, currency, merchant or order than ours."""

    code, title = "payment_mismatch", "The status does not match the payment"


class PaymentUnderReview(PoisonMessage):
    """Money arrived that fraud detection challenges; a person must decide."""

    code, title = "payment_under_review", "The payment is challenged"


class TenantMissing(PoisonMessage):
    """A message that must belong to a tenant names none."""

    code, title = "tenant_missing", "The message belongs to no tenant"
