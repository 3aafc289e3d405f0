"""Tenants, their API keys, and what they use up: token buckets and photos in work."""

import base64
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.state.tables import ApiKey, CallLease, Tenant, TenantUsage

NAME_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""A tenant's name stands in subjects, object names and logs."""


class TenantNameError(ValueError):
    """The name cannot be a tenant's."""

    def __init__(self, name: str) -> None:
        super().__init__(f"tenant {name!r}: up to 63 of a-z, 0-9 and -, not starting with -")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a tenant may use, over all replicas together; None means no limit."""

    photos_per_minute: int | None = None
    bytes_per_minute: int | None = None
    max_concurrent_photos: int | None = None


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class ActiveKey:
    """A key that opens something."""

    id: str
    tenant: str
    sha256: str
    scopes: frozenset[str]


async def ensure(session: AsyncSession, name: str, now: datetime) -> None:
    """Makes a tenant without limits, unless it is there.

    Raises:
        TenantNameError: See NAME_PATTERN.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise TenantNameError(name)
    if await session.get(Tenant, name) is not None:
        return
    try:
        async with session.begin_nested():
            session.add(
                Tenant(
                    name=name,
                    created_at=now,
                    photos_per_minute=None,
                    bytes_per_minute=None,
                    max_concurrent_photos=None,
                    webhook_secret=f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}",
                )
            )
    except IntegrityError:
        pass  # another replica was faster


async def all_tenants(session: AsyncSession) -> Sequence[Tenant]:
    """By name."""
    return (await session.scalars(select(Tenant).order_by(Tenant.name))).all()


async def find(session: AsyncSession, name: str) -> Tenant | None:
    return await session.get(Tenant, name)


async def limits(session: AsyncSession, name: str) -> Limits:
    """A tenant that is not there has none."""
    tenant = await session.get(Tenant, name)
    if tenant is None:
        return NO_LIMITS
    return Limits(tenant.photos_per_minute, tenant.bytes_per_minute, tenant.max_concurrent_photos)


async def set_limits(session: AsyncSession, tenant: Tenant, new: Limits, now: datetime) -> None:
    """From now on, with full buckets."""
    tenant.photos_per_minute = new.photos_per_minute
    tenant.bytes_per_minute = new.bytes_per_minute
    tenant.max_concurrent_photos = new.max_concurrent_photos
    full = TenantUsage(
        tenant=tenant.name,
        photos_left=float(new.photos_per_minute or 0),
        bytes_left=float(new.bytes_per_minute or 0),
        refilled_at=now,
    )
    await session.merge(full)


async def add_key(
    session: AsyncSession, *, key_id: str, tenant: str, sha256: str, scopes: Sequence[str], now: datetime
) -> None:
    session.add(
        ApiKey(id=key_id, tenant=tenant, sha256=sha256, scopes=",".join(scopes), created_at=now, revoked_at=None)
    )
    await session.flush()


async def revoke_key(session: AsyncSession, key_id: str, now: datetime) -> bool:
    """False when there is no such key. Revoking again changes nothing."""
    key = await session.get(ApiKey, key_id)
    if key is not None and key.revoked_at is None:
        key.revoked_at = now
    return key is not None


async def all_keys(session: AsyncSession) -> Sequence[ApiKey]:
    """Also those revoked; by tenant, oldest first."""
    return (await session.scalars(select(ApiKey).order_by(ApiKey.tenant, ApiKey.created_at, ApiKey.id))).all()


async def active_keys(session: AsyncSession) -> list[ActiveKey]:
    query = select(ApiKey.id, ApiKey.tenant, ApiKey.sha256, ApiKey.scopes).where(ApiKey.revoked_at.is_(None))
    return [
        ActiveKey(key_id, tenant, sha256, frozenset(scopes.split(",")))
        for key_id, tenant, sha256, scopes in await session.execute(query)
    ]


async def usage(session: AsyncSession, tenant: str) -> TenantUsage | None:
    """The tenant's buckets as they are; None when it never had limits."""
    return await session.get(TenantUsage, tenant)


async def lock_usage(session: AsyncSession, tenant: str) -> TenantUsage:
    """The tenant's buckets, which nobody else reads or changes until the transaction ends.

    The row is there since the tenant's limits were set.
    """
    query = select(TenantUsage).where(TenantUsage.tenant == tenant).with_for_update()
    return (await session.scalars(query)).one()


async def photos_in_work(session: AsyncSession, tenant: str, now: datetime) -> int:
    """Without those whose lease has run out, which are forgotten."""
    await session.execute(delete(CallLease).where(CallLease.tenant == tenant, CallLease.expires_at <= now))
    query = select(func.count()).select_from(CallLease).where(CallLease.tenant == tenant)
    return (await session.execute(query)).scalar_one()


async def add_lease(session: AsyncSession, lease: str, tenant: str, expires_at: datetime) -> None:
    """Adding it again changes nothing but its end."""
    await session.merge(CallLease(id=lease, tenant=tenant, expires_at=expires_at))
    await session.flush()


async def renew_lease(session: AsyncSession, lease: str, expires_at: datetime) -> None:
    await session.execute(update(CallLease).where(CallLease.id == lease).values(expires_at=expires_at))


async def end_lease(session: AsyncSession, lease: str) -> None:
    await session.execute(delete(CallLease).where(CallLease.id == lease))
