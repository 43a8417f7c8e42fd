//! Payout schemes: which routes carry what, under which conditions. A version is never changed: a new one takes its place at once.

use serde_json::{Value, json};

use super::form::Form;
use super::{Attributes, code_taken, noted, version_conflict, version_of};
use crate::domain::ids::PayoutSchemeId;
use crate::domain::routing::SchemeRef;
use crate::gateway::access::{Caller, Refusal};
use crate::gateway::{Gateway, GatewayError};
use crate::store::retry::transaction;
use crate::store::{Slice, payout_schemes};

pub use crate::store::payout_schemes::{Scheme, SchemeVersion};

/// What a refusal calls it.
const WHAT: &str = "payout scheme";

impl Gateway {
    /// Makes a payout scheme with its version 1.
    pub async fn create_payout_scheme(
        &self,
        caller: &Caller,
        given: &Attributes,
    ) -> Result<(Scheme, SchemeVersion), Refusal> {
        let now = self.clock.now();
        let id = PayoutSchemeId::new();
        let mut form = Form::create(given, &["code", "name", "body", "comment"], &["name", "body"]);
        let code = form.code("code").unwrap_or_else(|| id.to_string());
        let name = form.text("name", 200).unwrap_or_default();
        let first = self.read_payout_scheme_version(&mut form, caller, id, 1).await?;
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
            payout_schemes::insert(conn, &scheme, &first).await?;
            noted(conn, caller, "payout_scheme.create", id, None, Some(told(&scheme, &first)), now).await
        })
        .await
        .map_err(|refusal| code_taken(refusal, "payout_scheme_code_partner_id_mode_key"))?;
        self.routes.forget();
        Ok((scheme, first))
    }

    /// Puts a new version in force, at once, if the one that the caller knows still is.
    pub async fn publish_payout_scheme(
        &self,
        caller: &Caller,
        id: PayoutSchemeId,
        given: &Attributes,
    ) -> Result<SchemeVersion, Refusal> {
        let (scheme, before) = self.find_payout_scheme(caller, id).await?;
        let mut form = Form::create(given, &["body", "comment", "version"], &["body"]);
        form.check_version(scheme.version)?;
        let next = scheme.version.saturating_add(1);
        let next = self.read_payout_scheme_version(&mut form, caller, id, next).await?;
        form.finish()?;
        let next = next.ok_or_else(|| GatewayError::Corrupt("a version without a body".to_owned()))?;
        transaction(&self.db, async |conn| {
            if !payout_schemes::publish(conn, caller.tenant, id, &next).await? {
                return Err(version_conflict());
            }
            let (was, is) = (told(&scheme, &before), told(&scheme, &next));
            noted(conn, caller, "payout_scheme.publish", id, Some(was), Some(is), next.created_at).await
        })
        .await?;
        self.routes.forget();
        Ok(next)
    }

    /// Tells everything that would keep a body from being published as the scheme's next version. Nothing is changed.
    pub async fn check_payout_scheme(&self, caller: &Caller, id: PayoutSchemeId, body: &Value) -> Result<(), Refusal> {
        let given = Attributes::new();
        let mut form = Form::create(&given, &[], &[]);
        self.compile_payout_scheme(&mut form, caller.tenant, SchemeRef { id, version: i32::MAX }, body).await?;
        form.finish()
    }

    /// The scheme with the version in force.
    pub async fn find_payout_scheme(
        &self,
        caller: &Caller,
        id: PayoutSchemeId,
    ) -> Result<(Scheme, SchemeVersion), Refusal> {
        let conn = self.db.get().await?;
        let scheme = payout_schemes::find(&conn, caller.tenant, id).await?.ok_or(Refusal::NotFound { what: WHAT })?;
        let version = payout_schemes::find_version(&conn, caller.tenant, id, scheme.version).await?;
        let version =
            version.ok_or_else(|| GatewayError::Corrupt(format!("{id} has no version {}", scheme.version)))?;
        Ok((scheme, version))
    }

    /// Schemes without their bodies.
    pub async fn list_payout_schemes(
        &self,
        caller: &Caller,
        code: Option<String>,
        slice: Slice,
    ) -> Result<Vec<Scheme>, Refusal> {
        let conn = self.db.get().await?;
        Ok(payout_schemes::list(&conn, caller.tenant, code, slice).await?)
    }

    /// One version, whether it is in force or was.
    pub async fn find_payout_scheme_version(
        &self,
        caller: &Caller,
        id: PayoutSchemeId,
        version: i32,
    ) -> Result<SchemeVersion, Refusal> {
        let conn = self.db.get().await?;
        let found = payout_schemes::find_version(&conn, caller.tenant, id, version).await?;
        found.ok_or(Refusal::NotFound { what: "version of this payout scheme" })
    }

    /// Versions behind the slice's `after`, whose id is that of [`super::version_key`].
    pub async fn list_payout_scheme_versions(
        &self,
        caller: &Caller,
        id: PayoutSchemeId,
        slice: Slice,
    ) -> Result<Vec<SchemeVersion>, Refusal> {
        let conn = self.db.get().await?;
        payout_schemes::find(&conn, caller.tenant, id).await?.ok_or(Refusal::NotFound { what: WHAT })?;
        Ok(payout_schemes::list_versions(&conn, caller.tenant, id, version_of(slice), slice.newest_first, slice.limit)
            .await?)
    }

    /// `None` only after a problem was told.
    async fn read_payout_scheme_version(
        &self,
        form: &mut Form<'_>,
        caller: &Caller,
        id: PayoutSchemeId,
        version: i32,
    ) -> Result<Option<SchemeVersion>, Refusal> {
        let comment = form.text_or_null("comment", 500).flatten();
        let Some(body) = form.any("body") else { return Ok(None) };
        self.compile_payout_scheme(form, caller.tenant, SchemeRef { id, version }, body).await?;
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
fn told(scheme: &Scheme, version: &SchemeVersion) -> Value {
    json!({
        "code": scheme.code,
        "name": scheme.name,
        "version": version.version,
        "comment": version.comment,
    })
}
