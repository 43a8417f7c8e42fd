//! Schemes, of either kind: payout schemes say which routes carry what, under which conditions; exchange-rate schemes which rate turns
//! what a caller is charged into what a service pays. A version is never changed: a new one takes its place at once.

use std::fmt::Display;
use std::future::Future;

use serde_json::{Value, json};

use super::form::Form;
use super::{Attributes, code_taken, noted, version_conflict, version_of};
use crate::domain::ids::{ExchangeSchemeId, PayoutSchemeId, Tenant};
use crate::domain::routing::SchemeRef;
use crate::gateway::access::{Caller, Refusal};
use crate::gateway::{Gateway, GatewayError};
use crate::store::Slice;
use crate::store::retry::transaction;
use crate::store::schemes::SchemeTable;

pub use crate::store::schemes::{Scheme, SchemeVersion};

/// A kind of schemes, which the type of its ids stands for.
pub trait SchemeKind: SchemeTable + Display {
    /// What a refusal calls it, and one of its versions.
    const WHAT: &'static str;
    const WHAT_VERSION: &'static str;
    /// What the audit trail calls making one, and putting a version in force.
    const ACTION_CREATE: &'static str;
    const ACTION_PUBLISH: &'static str;
    /// The constraint that has no two of a tenant with one code.
    const CODE_KEY: &'static str;

    /// The id of a new one.
    fn draw() -> Self;

    /// Tells `form` what keeps `body` from being that version of `owner`'s scheme.
    fn check(
        self,
        gateway: &Gateway,
        form: &mut Form<'_>,
        owner: Tenant,
        version: i32,
        body: &Value,
    ) -> impl Future<Output = Result<(), Refusal>> + Send;
}

impl SchemeKind for PayoutSchemeId {
    const WHAT: &'static str = "payout scheme";
    const WHAT_VERSION: &'static str = "version of this payout scheme";
    const ACTION_CREATE: &'static str = "payout_scheme.create";
    const ACTION_PUBLISH: &'static str = "payout_scheme.publish";
    const CODE_KEY: &'static str = "payout_scheme_code_partner_id_mode_key";

    fn draw() -> Self {
        Self::new()
    }

    async fn check(
        self,
        gateway: &Gateway,
        form: &mut Form<'_>,
        owner: Tenant,
        version: i32,
        body: &Value,
    ) -> Result<(), Refusal> {
        gateway.compile_payout_scheme(form, owner, SchemeRef { id: self, version }, body).await.map(drop)
    }
}

impl SchemeKind for ExchangeSchemeId {
    const WHAT: &'static str = "exchange-rate scheme";
    const WHAT_VERSION: &'static str = "version of this exchange-rate scheme";
    const ACTION_CREATE: &'static str = "exchange_rate_scheme.create";
    const ACTION_PUBLISH: &'static str = "exchange_rate_scheme.publish";
    const CODE_KEY: &'static str = "exchange_scheme_code_partner_id_mode_key";

    fn draw() -> Self {
        Self::new()
    }

    async fn check(
        self,
        gateway: &Gateway,
        form: &mut Form<'_>,
        owner: Tenant,
        _: i32,
        body: &Value,
    ) -> Result<(), Refusal> {
        gateway.compile_exchange_scheme(form, owner.mode, body);
        Ok(())
    }
}

impl Gateway {
    /// Makes a scheme with its version 1.
    pub async fn create_scheme<Id: SchemeKind>(
        &self,
        caller: &Caller,
        given: &Attributes,
    ) -> Result<(Scheme<Id>, SchemeVersion), Refusal> {
        let now = self.clock.now();
        let id = Id::draw();
        let mut form = Form::create(given, &["code", "name", "body", "comment"], &["name", "body"]);
        let code = form.code("code").unwrap_or_else(|| id.to_string());
        let name = form.text("name", 200).unwrap_or_default();
        let first = self.read_scheme_version(&mut form, caller, id, 1).await?;
        form.finish()?;
        let first = first.ok_or_else(|| GatewayError::Corrupt("a scheme without a body".to_owned()))?;
        let scheme = Scheme {
            partner_id: caller.tenant.partner_id,
            mode: caller.tenant.mode,
            id,
            code,
            name,
            version: first.version,
            created_at: now,
            updated_at: now,
        };
        transaction(&self.db, async |conn| {
            Id::insert(conn, &scheme, &first).await?;
            noted(conn, caller, Id::ACTION_CREATE, id, None, Some(told(&scheme, &first)), now).await
        })
        .await
        .map_err(|refusal| code_taken(refusal, Id::CODE_KEY))?;
        self.routes.forget();
        Ok((scheme, first))
    }

    /// Puts a new version in force, at once, if the one that the caller knows still is.
    pub async fn publish_scheme<Id: SchemeKind>(
        &self,
        caller: &Caller,
        id: Id,
        given: &Attributes,
    ) -> Result<SchemeVersion, Refusal> {
        let (scheme, before) = self.find_scheme(caller, id).await?;
        let mut form = Form::create(given, &["body", "comment", "version"], &["body"]);
        form.check_version(scheme.version)?;
        let next = scheme.version.saturating_add(1);
        let next = self.read_scheme_version(&mut form, caller, id, next).await?;
        form.finish()?;
        let next = next.ok_or_else(|| GatewayError::Corrupt("a version without a body".to_owned()))?;
        transaction(&self.db, async |conn| {
            if !Id::publish(conn, caller.tenant, id, &next).await? {
                return Err(version_conflict());
            }
            let (was, is) = (told(&scheme, &before), told(&scheme, &next));
            noted(conn, caller, Id::ACTION_PUBLISH, id, Some(was), Some(is), next.created_at).await
        })
        .await?;
        self.routes.forget();
        Ok(next)
    }

    /// Tells everything that would keep a body from being published as the scheme's next version. Nothing is changed.
    pub async fn check_scheme<Id: SchemeKind>(&self, caller: &Caller, id: Id, body: &Value) -> Result<(), Refusal> {
        let given = Attributes::new();
        let mut form = Form::create(&given, &[], &[]);
        id.check(self, &mut form, caller.tenant, i32::MAX, body).await?;
        form.finish()
    }

    /// The scheme with the version in force.
    pub async fn find_scheme<Id: SchemeKind>(
        &self,
        caller: &Caller,
        id: Id,
    ) -> Result<(Scheme<Id>, SchemeVersion), Refusal> {
        let conn = self.db.get().await?;
        let scheme = Id::find(&conn, caller.tenant, id).await?.ok_or(Refusal::NotFound { what: Id::WHAT })?;
        let version = Id::find_version(&conn, caller.tenant, id, scheme.version).await?;
        let version =
            version.ok_or_else(|| GatewayError::Corrupt(format!("{id} has no version {}", scheme.version)))?;
        Ok((scheme, version))
    }

    /// Schemes without their bodies.
    pub async fn list_schemes<Id: SchemeKind>(
        &self,
        caller: &Caller,
        code: Option<String>,
        slice: Slice,
    ) -> Result<Vec<Scheme<Id>>, Refusal> {
        let conn = self.db.get().await?;
        Ok(Id::list(&conn, caller.tenant, code, slice).await?)
    }

    /// One version, whether it is in force or was.
    pub async fn find_scheme_version<Id: SchemeKind>(
        &self,
        caller: &Caller,
        id: Id,
        version: i32,
    ) -> Result<SchemeVersion, Refusal> {
        let conn = self.db.get().await?;
        let found = Id::find_version(&conn, caller.tenant, id, version).await?;
        found.ok_or(Refusal::NotFound { what: Id::WHAT_VERSION })
    }

    /// Versions behind the slice's `after`, whose id is that of [`super::version_key`].
    pub async fn list_scheme_versions<Id: SchemeKind>(
        &self,
        caller: &Caller,
        id: Id,
        slice: Slice,
    ) -> Result<Vec<SchemeVersion>, Refusal> {
        let conn = self.db.get().await?;
        Id::find(&conn, caller.tenant, id).await?.ok_or(Refusal::NotFound { what: Id::WHAT })?;
        let after = version_of(slice);
        Ok(Id::list_versions(&conn, caller.tenant, id, after, slice.newest_first, slice.limit).await?)
    }

    /// `None` only after a problem was told.
    async fn read_scheme_version<Id: SchemeKind>(
        &self,
        form: &mut Form<'_>,
        caller: &Caller,
        id: Id,
        version: i32,
    ) -> Result<Option<SchemeVersion>, Refusal> {
        let comment = form.text_or_null("comment", 500).flatten();
        let Some(body) = form.any("body") else { return Ok(None) };
        id.check(self, form, caller.tenant, version, body).await?;
        Ok(Some(SchemeVersion {
            version,
            body: body.clone(),
            comment,
            created_by: caller.actor(),
            created_at: self.clock.now(),
        }))
    }
}

/// What the audit trail keeps of a version: its body stands in the version itself, which never changes.
fn told<Id>(scheme: &Scheme<Id>, version: &SchemeVersion) -> Value {
    json!({
        "code": scheme.code,
        "name": scheme.name,
        "version": version.version,
        "comment": version.comment,
    })
}
