"""What can go wrong in billing_service."""

from kit.errors import NotFound, PoisonMessage, Unprocessable


class InvoiceMissing(NotFound):
    """No such invoice, or another tenant's."""

    code, title = "invoice_missing", "There is no such invoice"


class CursorUnreadable(Unprocessable):
    """A list's cursor is not one we gave."""

    code, title = "cursor_unreadable", "The cursor is not one of ours"


class PaymentAmountWrong(PoisonMessage):
    """A settled payment is not the invoice's total; a person must look at it."""

    code, title = "payment_amount_wrong", "The payment is not the invoice's total"


class TermsMissing(PoisonMessage):
    """No tax setting or payment terms are in force at an invoice's date."""

    code, title = "terms_missing", "No tax setting or payment terms are in force"


class TenantMissing(PoisonMessage):
    """A message that must belong to a tenant names none."""

    code, title = "tenant_missing", "The message belongs to no tenant"
