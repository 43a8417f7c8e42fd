//! Exchange-rate schemes: which rate turns what a caller is charged into what a service pays. A version is never changed: a new
//! one takes its place at once.

use serde_json::{Value, json};

use super::form::Form;
use super::{Attributes, code_taken, noted, version_conflict, version_of};
use crate::domain::ids::ExchangeSchemeId;
use crate::gateway::access::{Caller, Refusal};
use crate::gateway::{Gateway, GatewayError};
use crate::store::retry::transaction;
use crate::store::{Slice, exchange_schemes};

pub use crate::store::exchange_schemes::{Scheme, SchemeVersion};

/// What a refusal calls it.
const WHAT: &str = "exchange-rate scheme";

impl Gateway {
    /// Makes an exchange-rate scheme with its version 1.
    pub async fn create_exchange_scheme(
        &self,
        caller: &Caller,
        given: &Attributes,
    ) -> Result<(Scheme, SchemeVersion), Refusal> {
        let now = self.clock.now();
        let id = ExchangeSchemeId::new();
        let mut form = Form::create(given, &["code", "name", "body", "comment"], &["name", "body"]);
        let code = form.code("code").unwrap_or_else(|| id.to_string());
        let name = form.text("name", 200).unwrap_or_default();
        let first = self.read_exchange_scheme_version(&mut form, caller, 1);
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
            exchange_schemes::insert(conn, &scheme, &first).await?;
            noted(conn, caller, "exchange_rate_scheme.create", id, None, Some(told(&scheme, &first)), now).await
        })
        .await
        .map_err(|refusal| code_taken(refusal, "exchange_scheme_code_partner_id_mode_key"))?;
        self.routes.forget();
        Ok((scheme, first))
    }

    /// Puts a new version in force, at once, if the one that the caller knows still is.
    pub async fn publish_exchange_scheme(
        &self,
        caller: &Caller,
        id: ExchangeSchemeId,
        given: &Attributes,
    ) -> Result<SchemeVersion, Refusal> {
        let (scheme, before) = self.find_exchange_scheme(caller, id).await?;
        let mut form = Form::create(given, &["body", "comment", "version"], &["body"]);
        form.check_version(scheme.version)?;
        let next = scheme.version.saturating_add(1);
        let next = self.read_exchange_scheme_version(&mut form, caller, next);
        form.finish()?;
        let next = next.ok_or_else(|| GatewayError::Corrupt("a version without a body".to_owned()))?;
        transaction(&self.db, async |conn| {
            if !exchange_schemes::publish(conn, caller.tenant, id, &next).await? {
                return Err(version_conflict());
            }
            let (was, is) = (told(&scheme, &before), told(&scheme, &next));
            noted(conn, caller, "exchange_rate_scheme.publish", id, Some(was), Some(is), next.created_at).await
        })
        .await?;
        self.routes.forget();
        Ok(next)
    }

    /// The scheme with the version in force.
    pub async fn find_exchange_scheme(
        &self,
        caller: &Caller,
        id: ExchangeSchemeId,
    ) -> Result<(Scheme, SchemeVersion), Refusal> {
        let conn = self.db.get().await?;
        let scheme = exchange_schemes::find(&conn, caller.tenant, id).await?.ok_or(Refusal::NotFound { what: WHAT })?;
        let version = exchange_schemes::find_version(&conn, caller.tenant, id, scheme.version).await?;
        let version =
            version.ok_or_else(|| GatewayError::Corrupt(format!("{id} has no version {}", scheme.version)))?;
        Ok((scheme, version))
    }

    /// Schemes without their bodies.
    pub async fn list_exchange_schemes(
        &self,
        caller: &Caller,
        code: Option<String>,
        slice: Slice,
    ) -> Result<Vec<Scheme>, Refusal> {
        let conn = self.db.get().await?;
        Ok(exchange_schemes::list(&conn, caller.tenant, code, slice).await?)
    }

    /// One version, whether it is in force or was.
    pub async fn find_exchange_scheme_version(
        &self,
        caller: &Caller,
        id: ExchangeSchemeId,
        version: i32,
    ) -> Result<SchemeVersion, Refusal> {
        let conn = self.db.get().await?;
        let found = exchange_schemes::find_version(&conn, caller.tenant, id, version).await?;
        found.ok_or(Refusal::NotFound { what: "version of this exchange-rate scheme" })
    }

    /// Versions behind the slice's `after`, whose id is that of [`super::version_key`].
    pub async fn list_exchange_scheme_versions(
        &self,
        caller: &Caller,
        id: ExchangeSchemeId,
        slice: Slice,
    ) -> Result<Vec<SchemeVersion>, Refusal> {
        let conn = self.db.get().await?;
        exchange_schemes::find(&conn, caller.tenant, id).await?.ok_or(Refusal::NotFound { what: WHAT })?;
        Ok(exchange_schemes::list_versions(
            &conn,
            caller.tenant,
            id,
            version_of(slice),
            slice.newest_first,
            slice.limit,
        )
        .await?)
    }

    /// `None` only after a problem was told.
    fn read_exchange_scheme_version(
        &self,
        form: &mut Form<'_>,
        caller: &Caller,
        version: i32,
    ) -> Option<SchemeVersion> {
        let comment = form.text_or_null("comment", 500).flatten();
        let body = form.any("body")?;
        self.compile_exchange_scheme(form, caller.tenant.mode, body);
        Some(SchemeVersion {
            version,
            body: body.clone(),
            comment,
            created_by: caller.actor(),
            created_at: self.clock.now(),
        })
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
