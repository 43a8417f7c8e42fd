//! Payout points: what payout requests are submitted to.

use serde_json::{Value, json};

use super::form::Form;
use super::{Attributes, code_taken, noted, version_conflict};
use crate::domain::ids::{ExchangeSchemeId, Mode, PayoutPointId, PayoutSchemeId};
use crate::domain::payout_point::{ATTEMPTS, EXPIRES_IN_SECS, PointOptions};
use crate::domain::payout_request::{Funding, SplitMode};
use crate::gateway::Gateway;
use crate::gateway::access::{Caller, Refusal};
use crate::gateway::webhooks::is_receiver;
use crate::store::retry::transaction;
use crate::store::schemes::SchemeTable;
use crate::store::{Slice, points};

pub use crate::store::points::{Point, PointFilter};

/// What a refusal calls it.
const WHAT: &str = "payout point";
const URL_CHARS_MAX: usize = 2_000;
const KNOWN: &[&str] = &[
    "code",
    "name",
    "description",
    "currencies",
    "enabled",
    "funding",
    "payout_scheme_id",
    "exchange_rate_scheme_id",
    "callback_url",
    "options",
];
const OPTIONS: &[&str] = &[
    "attempts_limit",
    "attempts_per_route_limit",
    "allow_partially",
    "auto_process",
    "split_mode",
    "parallel_mode",
    "expires_in_secs",
];

impl Gateway {
    /// Makes a payout point.
    pub async fn create_point(&self, caller: &Caller, given: &Attributes) -> Result<Point, Refusal> {
        let now = self.clock.now();
        let id = PayoutPointId::new();
        let mut point = Point {
            partner_id: caller.tenant.partner_id,
            mode: caller.tenant.mode,
            id,
            code: id.to_string(),
            name: String::new(),
            description: None,
            currencies: Vec::new(),
            enabled: true,
            funding: Funding::PartnerBalance,
            payout_scheme_id: None,
            exchange_scheme_id: None,
            callback_url: None,
            options: json!({}),
            version: 1,
            created_at: now,
            updated_at: None,
        };
        let mut form = Form::create(given, KNOWN, &["name", "currencies"]);
        if let Some(code) = form.code("code") {
            point.code = code;
        }
        self.fill_point(&mut form, &mut point).await?;
        form.finish()?;
        transaction(&self.db, async |conn| {
            points::insert(conn, &point).await?;
            noted(conn, caller, "payout_point.create", id, None, Some(told(&point)), now).await
        })
        .await
        .map_err(|refusal| code_taken(refusal, "payout_point_code_partner_id_mode_key"))?;
        self.routes.forget();
        Ok(point)
    }

    /// Changes what was given of a payout point.
    pub async fn change_point(&self, caller: &Caller, id: PayoutPointId, given: &Attributes) -> Result<Point, Refusal> {
        let before = self.find_point(caller, id).await?;
        let mut point = before.clone();
        let mut form = Form::change(given, KNOWN, &["code"]);
        form.check_version(before.version)?;
        self.fill_point(&mut form, &mut point).await?;
        form.finish()?;
        let now = self.clock.now();
        transaction(&self.db, async |conn| {
            if !points::update(conn, &point, now).await? {
                return Err(version_conflict());
            }
            let (was, is) = (told(&before), told(&point));
            noted(conn, caller, "payout_point.change", id, Some(was), Some(is), now).await
        })
        .await?;
        self.routes.forget();
        self.find_point(caller, id).await
    }

    pub async fn find_point(&self, caller: &Caller, id: PayoutPointId) -> Result<Point, Refusal> {
        let conn = self.db.get().await?;
        points::find(&conn, caller.tenant, id).await?.ok_or(Refusal::NotFound { what: WHAT })
    }

    pub async fn list_points(
        &self,
        caller: &Caller,
        filter: &PointFilter,
        slice: Slice,
    ) -> Result<Vec<Point>, Refusal> {
        let conn = self.db.get().await?;
        Ok(points::list(&conn, caller.tenant, filter, slice).await?)
    }

    async fn fill_point(&self, form: &mut Form<'_>, point: &mut Point) -> Result<(), Refusal> {
        if let Some(name) = form.text("name", 200) {
            point.name = name;
        }
        if let Some(description) = form.text_or_null("description", 500) {
            point.description = description;
        }
        if let Some(currencies) = form.currencies("currencies", &self.assets) {
            point.currencies = currencies;
        }
        if let Some(enabled) = form.flag("enabled") {
            point.enabled = enabled;
        }
        match form.parsed::<Funding>("funding", "partner_balance or own_deposit") {
            Some(Funding::WalletHold) => {
                form.add("funding", "INVALID_VALUE", "is partner_balance or own_deposit");
            }
            Some(funding) => point.funding = funding,
            None => {}
        }
        if let Some(url) = form.text_or_null("callback_url", URL_CHARS_MAX) {
            if url.as_deref().is_some_and(|url| !is_receiver(url, point.mode)) {
                let scheme = if point.mode == Mode::Live { "an https" } else { "an http or https" };
                form.add("callback_url", "INVALID_VALUE", format!("is {scheme} URL without user name and fragment"));
            }
            point.callback_url = url;
        }
        if let Some(scheme) = form.parsed_or_null("payout_scheme_id", "the id of a payout scheme (posc_...)") {
            point.payout_scheme_id = scheme;
        }
        if let Some(scheme) =
            form.parsed_or_null("exchange_rate_scheme_id", "the id of an exchange-rate scheme (ers_...)")
        {
            point.exchange_scheme_id = scheme;
        }
        self.check_schemes(form, point).await?;
        if let Some(options) = form.object("options") {
            let options = read_options(form, options);
            point.options = serde_json::to_value(options).unwrap_or_else(|_| json!({}));
        }
        Ok(())
    }

    /// A point's schemes are the house's where the house's accounts pay, and the point owner's where its own do.
    async fn check_schemes(&self, form: &mut Form<'_>, point: &Point) -> Result<(), Refusal> {
        let changes = ["payout_scheme_id", "exchange_rate_scheme_id", "funding"].iter().any(|name| form.has(name));
        if !changes {
            return Ok(());
        }
        let owner = self.snapshot().await?.owner_for(point.tenant(), point.funding);
        let whose = if point.funding == Funding::OwnDeposit { "of your own" } else { "of the house's" };
        let conn = self.db.get().await?;
        if let Some(id) = point.payout_scheme_id
            && PayoutSchemeId::find(&conn, owner, id).await?.is_none()
        {
            form.add("payout_scheme_id", "UNKNOWN_SCHEME", format!("names no payout scheme {whose}"));
        }
        if let Some(id) = point.exchange_scheme_id
            && ExchangeSchemeId::find(&conn, owner, id).await?.is_none()
        {
            form.add("exchange_rate_scheme_id", "UNKNOWN_SCHEME", format!("names no exchange-rate scheme {whose}"));
        }
        Ok(())
    }
}

/// Reads options, which replace those that were there.
fn read_options(form: &mut Form<'_>, given: &Attributes) -> PointOptions {
    let mut inner = Form::create(given, OPTIONS, &[]);
    let attempts = i64::from(*ATTEMPTS.start())..=i64::from(*ATTEMPTS.end());
    let expiry = i64::from(*EXPIRES_IN_SECS.start())..=i64::from(*EXPIRES_IN_SECS.end());
    let options = PointOptions {
        attempts_limit: inner.integer("attempts_limit", attempts.clone()).and_then(|n| n.try_into().ok()),
        attempts_per_route_limit: inner.integer("attempts_per_route_limit", attempts).and_then(|n| n.try_into().ok()),
        allow_partially: inner.flag("allow_partially"),
        auto_process: inner.flag("auto_process"),
        split_mode: inner.parsed::<SplitMode>("split_mode", "never, auto or always"),
        parallel_mode: inner.flag("parallel_mode"),
        expires_in_secs: inner.integer("expires_in_secs", expiry).and_then(|n| n.try_into().ok()),
    };
    form.adopt("options", inner);
    options
}

/// What the audit trail keeps of a point.
fn told(point: &Point) -> Value {
    json!({
        "code": point.code,
        "name": point.name,
        "description": point.description,
        "currencies": point.currencies,
        "enabled": point.enabled,
        "funding": point.funding,
        "payout_scheme_id": point.payout_scheme_id.map(|id| id.to_string()),
        "exchange_rate_scheme_id": point.exchange_scheme_id.map(|id| id.to_string()),
        "callback_url": point.callback_url,
        "options": point.options,
    })
}
