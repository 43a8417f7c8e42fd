//! How domain types are written to and read from PostgreSQL. A value that the domain refuses is an error of the
//! read, with the value's kind, never a default.

use std::io::Write;

use diesel::deserialize::{self, FromSql, Queryable};
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types;

use crate::domain::asset::AssetCode;
use crate::domain::block::BlockKind;
use crate::domain::card::CardScheme;
use crate::domain::ids::{
    ApiKeyId, ApprovalId, AuditId, BatchId, BlockId, CardId, CustomerId, DepositAccountId, EventId, ExchangeSchemeId,
    Mode, OfferId, PartnerId, PayoutId, PayoutPointId, PayoutRequestId, PayoutSchemeId, ProviderAccountId, RouteId,
    StaffId, WebhookEndpointId,
};
use crate::domain::offer::{FixedSide, OfferStatus};
use crate::domain::payout::{PayoutStatus, Resolution};
use crate::domain::payout_request::{Funding, RequestStatus, SplitMode};
use crate::domain::staff::{Email, Role};

macro_rules! as_text {
    ($($ty:ty),* $(,)?) => { $(
        impl FromSql<sql_types::Text, Pg> for $ty {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                let text = <String as FromSql<sql_types::Text, Pg>>::from_sql(value)?;
                text.parse().map_err(|_| format!("{text:?} is no {}", stringify!($ty)).into())
            }
        }

        impl Queryable<sql_types::Text, Pg> for $ty {
            type Row = Self;
            fn build(row: Self) -> deserialize::Result<Self> {
                Ok(row)
            }
        }

        impl ToSql<sql_types::Text, Pg> for $ty {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                out.write_all(self.as_str().as_bytes())?;
                Ok(IsNull::No)
            }
        }
    )* };
}

macro_rules! as_inner {
    ($sql:ty, $inner:ty: $($ty:ident),* $(,)?) => { $(
        impl FromSql<$sql, Pg> for $ty {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                <$inner as FromSql<$sql, Pg>>::from_sql(value).map($ty)
            }
        }

        impl Queryable<$sql, Pg> for $ty {
            type Row = Self;
            fn build(row: Self) -> deserialize::Result<Self> {
                Ok(row)
            }
        }

        impl ToSql<$sql, Pg> for $ty {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                <$inner as ToSql<$sql, Pg>>::to_sql(&self.0, &mut out.reborrow())
            }
        }
    )* };
}

as_text!(
    Mode,
    AssetCode,
    PayoutStatus,
    RequestStatus,
    SplitMode,
    Funding,
    Resolution,
    OfferStatus,
    FixedSide,
    CardScheme,
    BlockKind,
    Role,
    Email
);
as_inner!(sql_types::Uuid, uuid::Uuid: BlockId, PartnerId, CustomerId, PayoutPointId, PayoutRequestId, PayoutId,
    ProviderAccountId, DepositAccountId, RouteId, EventId, StaffId, WebhookEndpointId, PayoutSchemeId, ExchangeSchemeId,
    ApiKeyId, ApprovalId, BatchId, AuditId);
as_inner!(sql_types::BigInt, i64: CardId, OfferId);
