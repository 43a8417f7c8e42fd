//! Endpoints: made, listed, changed, given new secrets, switched off and on, deleted. Each change stands in the audit trail, without secrets.

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use serde_json::{Value, json};

use super::secrets::{Secrets, SigningSecret};
use super::{URL_CHARS_MAX, is_receiver, message};
use crate::domain::ids::{EventId, Mode, Tenant, WebhookEndpointId};
use crate::domain::webhook::{DISABLED, Wanted};
use crate::gateway::access::audit::{self, Action, Author};
use crate::gateway::access::{Problem, Refusal};
use crate::gateway::sealing::sealed_again;
use crate::gateway::{Gateway, GatewayError};
use crate::store::Slice;
use crate::store::retry::transaction;
use crate::store::webhooks::deliveries::{self, To};
use crate::store::webhooks::endpoints::{self, EndpointRow, KIND_CALLBACK, KIND_URL};
use crate::store::webhooks::messages::{self, NewMessage};

/// How many failing endpoints one step of housekeeping switches off.
const BITE: i64 = 100;

/// An endpoint that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEndpoint {
    pub url: String,
    /// At most 500 characters.
    pub description: String,
    /// What it wants to hear of; empty: everything.
    pub types: Vec<Wanted>,
}

/// What is to be changed of an endpoint; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointChange {
    pub url: Option<String>,
    pub description: Option<String>,
    pub types: Option<Vec<Wanted>>,
    pub enabled: Option<bool>,
}

/// An endpoint, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub id: WebhookEndpointId,
    pub mode: Mode,
    /// `None`: the one for addresses that payout requests name themselves.
    pub url: Option<String>,
    pub description: String,
    pub types: Vec<String>,
    /// Since when nothing has arrived; `None`: the last message did.
    pub failing_since: Option<DateTime<Utc>>,
    pub disabled_at: Option<DateTime<Utc>>,
    /// `asked`, `gone` or `failing`.
    pub disabled_why: Option<String>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

impl From<EndpointRow> for Endpoint {
    fn from(row: EndpointRow) -> Self {
        Self {
            id: row.id,
            mode: row.mode,
            url: row.url,
            description: row.description,
            types: row.types,
            failing_since: row.failing_since,
            disabled_at: row.disabled_at,
            disabled_why: row.disabled_why,
            created_by: row.created_by,
            created_at: row.created_at,
        }
    }
}

pub(super) const NOT_FOUND: Refusal = Refusal::NotFound { what: "webhook endpoint" };

/// What the audit trail keeps of an endpoint.
fn audited(row: &EndpointRow) -> Value {
    json!({
        "kind": row.kind, "url": row.url, "description": row.description, "types": row.types, "disabled_why": row.disabled_why,
        // That the secret is another one, and not which.
        "secrets": hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&row.secrets_sealed))[..16],
    })
}

fn action(name: &'static str, before: Option<&EndpointRow>, after: Option<&EndpointRow>) -> Action {
    let object = before.or(after).map_or_else(String::new, |row| row.id.to_string());
    Action { action: name, object, before: before.map(audited), after: after.map(audited), result: audit::DONE }
}

fn pointer(name: &str) -> String {
    format!("/data/attributes/{name}")
}

impl Gateway {
    /// Makes an endpoint in the author's tenant, and the secret that signs what is sent there.
    pub async fn create_endpoint(
        &self,
        author: &Author,
        new: NewEndpoint,
    ) -> Result<(Endpoint, SigningSecret), Refusal> {
        self.check_receiver(&new.url, author.tenant.mode)?;
        let secret = SigningSecret::draw()?;
        let id = WebhookEndpointId::new();
        let row = |secrets_sealed| EndpointRow {
            partner_id: author.tenant.partner_id,
            mode: author.tenant.mode,
            id,
            kind: KIND_URL.to_owned(),
            url: Some(new.url.clone()),
            description: new.description.clone(),
            types: new.types.iter().map(Wanted::to_string).collect(),
            secrets_sealed,
            failing_since: None,
            disabled_at: None,
            disabled_why: None,
            created_by: author.actor.clone(),
            created_at: self.clock.now(),
        };
        let made = sealed_again(&self.vault, author.tenant, || async {
            let row = row(Secrets::new(secret.clone()).seal(&self.vault, author.tenant, id).await?);
            let written = &row;
            transaction(&self.db, async |conn| {
                if endpoints::count(conn, author.tenant).await? >= i64::from(self.webhooks.settings.endpoints_max) {
                    let detail = format!("There are at most {}.", self.webhooks.settings.endpoints_max);
                    return Err(Refusal::conflict("TOO_MANY_ENDPOINTS", detail));
                }
                endpoints::insert(conn, written).await?;
                audit::record(conn, author, action("webhook_endpoint.create", None, Some(written)), written.created_at)
                    .await?;
                Ok(())
            })
            .await?;
            Ok::<_, Refusal>(row)
        })
        .await?;
        Ok((made.into(), secret))
    }

    /// Makes sure that addresses which the tenant's requests name can be called: the endpoint that signs for them. Its secret is known to
    /// nobody until somebody asks for a new one.
    pub(in crate::gateway) async fn ensure_callbacks(&self, tenant: Tenant) -> Result<(), Refusal> {
        if self.webhooks.has_callbacks(tenant) {
            return Ok(());
        }
        let found = {
            let conn = self.db.get().await?;
            endpoints::find_callback(&conn, tenant).await?
        };
        if found.is_none() {
            let author = Author::new(tenant, "gateway".to_owned(), None);
            let secrets = Secrets::new(SigningSecret::draw()?);
            let id = WebhookEndpointId::new();
            sealed_again(&self.vault, tenant, || async {
                let now = self.clock.now();
                let row = EndpointRow {
                    partner_id: tenant.partner_id,
                    mode: tenant.mode,
                    id,
                    kind: KIND_CALLBACK.to_owned(),
                    url: None,
                    description: "Addresses that payout requests name (callback_url)".to_owned(),
                    types: Vec::new(),
                    secrets_sealed: secrets.seal(&self.vault, tenant, id).await?,
                    failing_since: None,
                    disabled_at: None,
                    disabled_why: None,
                    created_by: author.actor.clone(),
                    created_at: now,
                };
                let row = &row;
                transaction(&self.db, async |conn| {
                    endpoints::insert(conn, row).await?;
                    // Somebody else may have been faster.
                    if endpoints::find(conn, tenant, id).await?.is_some() {
                        audit::record(conn, &author, action("webhook_endpoint.create", None, Some(row)), now).await?;
                    }
                    Ok::<_, Refusal>(())
                })
                .await
            })
            .await?;
        }
        self.webhooks.note_callbacks(tenant);
        Ok(())
    }

    pub async fn find_endpoint(&self, tenant: Tenant, id: WebhookEndpointId) -> Result<Endpoint, Refusal> {
        let conn = self.db.get().await?;
        endpoints::find(&conn, tenant, id).await?.map(Endpoint::from).ok_or(NOT_FOUND)
    }

    pub async fn list_endpoints(&self, tenant: Tenant, slice: Slice) -> Result<Vec<Endpoint>, Refusal> {
        let conn = self.db.get().await?;
        Ok(endpoints::list(&conn, tenant, slice).await?.into_iter().map(Endpoint::from).collect())
    }

    /// Changes an endpoint. Switched on again, it goes on with what still waits, and begins with a clean slate.
    pub async fn change_endpoint(
        &self,
        author: &Author,
        id: WebhookEndpointId,
        change: EndpointChange,
    ) -> Result<Endpoint, Refusal> {
        if let Some(url) = &change.url {
            self.check_receiver(url, author.tenant.mode)?;
        }
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let before = endpoints::lock(conn, author.tenant, id).await?.ok_or(NOT_FOUND)?;
            if before.kind == KIND_CALLBACK && change.url.is_some() {
                let detail = "Payout requests name these addresses: this endpoint has none of its own.";
                return Err(Refusal::invalid(pointer("url"), "READ_ONLY", detail));
            }
            let mut after = before.clone();
            let EndpointChange { url, description, types, enabled } = change.clone();
            if url.is_some() && url != before.url {
                // What the address before it did says nothing of this one.
                (after.url, after.failing_since) = (url, None);
            }
            after.description = description.unwrap_or(after.description);
            if let Some(types) = types {
                after.types = types.iter().map(Wanted::to_string).collect();
            }
            match enabled {
                Some(true) => (after.disabled_at, after.disabled_why, after.failing_since) = (None, None, None),
                Some(false) if after.disabled_at.is_none() => switch_off(&mut after, "asked", now),
                Some(false) | None => {}
            }
            if after != before {
                endpoints::update(conn, &after).await?;
                let action = action("webhook_endpoint.change", Some(&before), Some(&after));
                audit::record(conn, author, action, now).await?;
            }
            Ok(after.into())
        })
        .await
    }

    /// Draws a new secret; the one before it signs as well for `overlap`, or as long as is configured.
    pub async fn rotate_endpoint_secret(
        &self,
        author: &Author,
        id: WebhookEndpointId,
        overlap: Option<TimeDelta>,
    ) -> Result<(Endpoint, SigningSecret), Refusal> {
        let overlap =
            overlap.unwrap_or_else(|| TimeDelta::seconds(i64::from(self.webhooks.settings.secret_overlap_secs)));
        let secret = SigningSecret::draw()?;
        let changed = sealed_again(&self.vault, author.tenant, || async {
            let now = self.clock.now();
            let before = {
                let conn = self.db.get().await?;
                endpoints::find(&conn, author.tenant, id).await?.ok_or(NOT_FOUND)?
            };
            let secrets = Secrets::open(&self.vault, author.tenant, id, &before.secrets_sealed).await?;
            let secrets = secrets.followed_by(secret.clone(), now + overlap, now);
            let sealed = secrets.seal(&self.vault, author.tenant, id).await?;
            let (read, sealed) = (&before, &sealed);
            transaction(&self.db, async |conn| {
                let before = endpoints::lock(conn, author.tenant, id).await?.ok_or(NOT_FOUND)?;
                if before.secrets_sealed != read.secrets_sealed {
                    return Err(Refusal::conflict("VERSION_CONFLICT", "it was changed meanwhile: ask again"));
                }
                let after = EndpointRow { secrets_sealed: sealed.clone(), ..before.clone() };
                endpoints::update(conn, &after).await?;
                let action = action("webhook_endpoint.rotate_secret", Some(&before), Some(&after));
                audit::record(conn, author, action, now).await?;
                Ok(after)
            })
            .await
        })
        .await?;
        Ok((changed.into(), secret))
    }

    /// Deletes an endpoint, with what still waits for it. That of requests' own addresses can only be switched off.
    pub async fn delete_endpoint(&self, author: &Author, id: WebhookEndpointId) -> Result<(), Refusal> {
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let before = endpoints::lock(conn, author.tenant, id).await?.ok_or(NOT_FOUND)?;
            if before.kind == KIND_CALLBACK {
                let detail = "It signs for the addresses that payout requests name: it can be switched off.";
                return Err(Refusal::conflict("ENDPOINT_KEPT", detail));
            }
            endpoints::delete(conn, &before, now).await?;
            let action = action("webhook_endpoint.delete", Some(&before), None);
            Ok(audit::record(conn, author, action, now).await?)
        })
        .await
    }

    /// Switches off the endpoints that answered that they are gone, and those where nothing has arrived for too long; answers how many.
    pub async fn disable_failing_endpoints(&self) -> Result<usize, GatewayError> {
        let days = i64::from(self.webhooks.settings.disable_after_days);
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let failing = endpoints::lock_failing(conn, now - TimeDelta::days(days), BITE).await?;
            for row in &failing {
                disable(conn, row, "failing", now).await?;
            }
            Ok(failing.len())
        })
        .await
    }

    /// `url` has said that it is gone; meanwhile the endpoint may have another.
    pub(super) async fn disable_gone(
        &self,
        tenant: Tenant,
        id: WebhookEndpointId,
        url: &str,
    ) -> Result<(), GatewayError> {
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let found = endpoints::lock(conn, tenant, id).await?;
            match found.filter(|row| row.disabled_at.is_none() && row.url.as_deref() == Some(url)) {
                Some(row) => disable(conn, &row, "gone", now).await,
                None => Ok(()),
            }
        })
        .await
    }

    /// Refuses what nothing would ever be sent to.
    fn check_receiver(&self, url: &str, mode: Mode) -> Result<(), Refusal> {
        let wrong = |code, detail: String| Refusal::Invalid(vec![Problem::new(pointer("url"), code, detail)]);
        if !is_receiver(url, mode) {
            let scheme = if mode == Mode::Live { "an https" } else { "an http or https" };
            let detail = format!(
                "This is {scheme} URL of at most {URL_CHARS_MAX} characters, without user name, password and fragment."
            );
            return Err(wrong("INVALID_URL", detail));
        }
        let parsed = reqwest::Url::parse(url).map_err(|_| wrong("INVALID_URL", "This is no URL.".to_owned()))?;
        let checked = self.webhooks.guard(mode).check(&parsed);
        checked.map_err(|forbidden| wrong("INVALID_URL", format!("Nothing is sent there: {forbidden}.")))
    }
}

fn switch_off(row: &mut EndpointRow, why: &str, now: DateTime<Utc>) {
    (row.disabled_at, row.disabled_why) = (Some(now), Some(why.to_owned()));
}

/// Switches an endpoint off by itself, and tells the tenant's others.
async fn disable(
    conn: &AsyncPgConnection,
    before: &EndpointRow,
    why: &'static str,
    now: DateTime<Utc>,
) -> Result<(), GatewayError> {
    let mut after = before.clone();
    switch_off(&mut after, why, now);
    endpoints::update(conn, &after).await?;
    let (tenant, id) = (before.tenant(), EventId::new());
    let news = message::of_endpoint(before.id, before.url.clone(), before.mode, Some(why));
    let body = message::body(id, DISABLED, now, news)?;
    let notice = NewMessage { tenant, id, kind: DISABLED.to_owned(), body };
    messages::insert(conn, std::slice::from_ref(&notice), now).await?;
    deliveries::insert_for(conn, &notice, To::AllBut(before.id), now).await?;
    let author = Author::new(tenant, "gateway".to_owned(), None);
    audit::record(conn, &author, action("webhook_endpoint.disable", Some(before), Some(&after)), now).await?;
    tracing::warn!(endpoint = %before.id, why, "a webhook endpoint was switched off");
    Ok(())
}
