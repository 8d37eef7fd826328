"""What user_management speaks about: tenants, profiles, members, invitations, consents."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, EmailStr, Field, StringConstraints

from contracts.user_management import RiskAppetite, SizingMode, TradingSession
from contracts.user_service import Locale, Role

TenantStatus = Literal["registered", "verified", "active", "suspended", "closed", "erased"]
MemberRole = Literal["admin", "trader", "viewer"]
"""What an invitation or a manager can give; the owner's role is handed over by its holder."""
Document = Literal["terms", "privacy", "risk_notice"]
ConsentAction = Literal["given", "withdrawn"]

SYMBOLS_MAX = 50

PlainText = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]
"""A name without control characters."""

Reason = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]
Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._#+-]{1,28}$")]
Address = Annotated[EmailStr, AfterValidator(lambda address: address.strip().lower())]
"""An e-mail address as every room keeps it: in lower case."""


def _sort_unique(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


class Body(BaseModel):
    """A request body; unknown fields are refused, a tenant's id above all."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """Something that is shown."""

    model_config = ConfigDict(frozen=True)


class Verification(Body):
    """The token of a verification mail."""

    token: str = Field(min_length=1, max_length=400, repr=False)


class VerificationWish(Body):
    """An address that wants another verification mail."""

    email: Address


class ProfileChange(Body):
    """What a user may change about themselves; what is not named stays."""

    full_name: PlainText | None = None
    locale: Locale | None = None
    time_zone: str | None = Field(default=None, min_length=1, max_length=60)


class TenantChange(Body):
    """What managers may change about the tenant."""

    name: PlainText


class Suspension(Body):
    """Why the staff closes the door on a tenant."""

    reason: Reason


class NewInvitation(Body):
    """Whom to invite, to do what."""

    email: Address
    role: MemberRole


class RoleChange(Body):
    """A member's next role."""

    role: MemberRole


class OwnershipTransfer(Body):
    """The member who is the owner from here on."""

    user_id: UUID


class PreferencesWish(Body):
    """How the tenant wants to be traded for; the whole of it, not a part."""

    symbols: Annotated[tuple[Symbol, ...], AfterValidator(_sort_unique)] = Field(
        default=(), max_length=SYMBOLS_MAX
    )
    """Empty: every symbol the plan allows."""
    risk_appetite: RiskAppetite
    sessions: Annotated[tuple[TradingSession, ...], AfterValidator(_sort_unique)] = Field(
        default=(), max_length=8
    )
    """Empty: at all hours."""
    sizing_mode: SizingMode


class ConsentWish(Body):
    """A consent to a version of a document, or its withdrawal."""

    document: Document
    version: int = Field(ge=1, le=100_000)
    action: ConsentAction = "given"


class Profile(Answer):
    """A user as they see themselves."""

    user_id: UUID
    tenant_id: UUID
    tenant_name: str
    email: str
    full_name: str
    role: Role
    locale: Locale
    time_zone: str
    email_verified: bool
    created_at: datetime


class Member(Answer):
    """A user as the tenant's others see them."""

    user_id: UUID
    email: str
    full_name: str
    role: Role
    email_verified: bool
    created_at: datetime
    version: int = 1
    """Counts the changes of the role."""


class MemberPage(Answer):
    """Some members, and where the next ones begin."""

    items: tuple[Member, ...]
    next_cursor: str | None


class Invitation(Answer):
    """An invitation as the managers see it; its token is in the mail only."""

    invitation_id: UUID
    email: str
    role: MemberRole
    invited_by: UUID
    created_at: datetime
    expires_at: datetime


class InvitationPage(Answer):
    """Some open invitations, and where the next ones begin."""

    items: tuple[Invitation, ...]
    next_cursor: str | None


class Preferences(Answer):
    """How the tenant wants to be traded for. Version 0: nobody has said so yet."""

    version: int = 0
    symbols: tuple[str, ...] = ()
    risk_appetite: RiskAppetite = "balanced"
    sessions: tuple[TradingSession, ...] = ()
    sizing_mode: SizingMode = "fixed_risk"
    updated_at: datetime | None = None


class Tenant(Answer):
    """A tenant as its members see it."""

    tenant_id: UUID
    name: str
    status: TenantStatus
    version: int
    created_at: datetime
    closed_at: datetime | None = None
    erase_after: datetime | None = None


class StaffTenant(Answer):
    """A tenant in the staff's list."""

    tenant_id: UUID
    name: str
    status: TenantStatus
    version: int
    created_at: datetime
    closed_at: datetime | None
    members: int


class StaffTenantPage(Answer):
    """Some tenants, and where the next ones begin."""

    items: tuple[StaffTenant, ...]
    next_cursor: str | None


class StaffTenantDetail(Tenant):
    """A tenant as the staff sees it, with whom to write to."""

    suspension_reason: str | None
    erased_at: datetime | None
    members: int
    owner: Member | None


class ConsentDocument(Answer):
    """The present version of a document, and whether the user's consent to it stands."""

    document: Document
    version: int
    title: str
    text: str
    text_sha256: str
    effective_at: datetime
    consented: bool


class Consent(Answer):
    """One record of the consent trail."""

    consent_id: UUID
    document: Document
    version: int
    action: ConsentAction
    recorded_at: datetime
    address: str | None


class ConsentOverview(Answer):
    """What there is to consent to, and what the user consented to and when, newest first."""

    documents: tuple[ConsentDocument, ...]
    records: tuple[Consent, ...]


@dataclass(frozen=True, slots=True)
class TenantState:
    """Where a tenant stands in its life."""

    status: TenantStatus
    resumes_as: TenantStatus | None
    version: int


@dataclass(frozen=True, slots=True)
class NewProfile:
    """A user to be stored."""

    user_id: UUID
    email: str
    full_name: str
    role: Role
    locale: Locale
    time_zone: str
