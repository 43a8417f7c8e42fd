//! A partner's customers, as the partner keeps them: written down, looked up, changed. A customer is also written down by the
//! wallet on first sight, with nothing but a reference.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde_json::{Value, json};

use super::Gateway;
use super::access::audit::{self, Action, Author};
use super::access::keys::Slice;
use super::access::{Problem, Refusal};
use crate::domain::ids::{CustomerId, Tenant};
use crate::store::customers;
pub use crate::store::customers::Profile;
use crate::store::error::DbError;
use crate::store::retry::transaction;

/// The highest KYC level that a partner may give.
pub const KYC_LEVEL_MAX: u8 = 3;

/// A customer to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCustomer {
    /// The partner's own name for the customer, 1 to 255 characters.
    pub reference: String,
    pub email: Option<String>,
    pub name: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub kyc_level: u8,
    pub blocked: bool,
}

/// What is to be changed of a customer at `version`; `None` leaves it, `Some(None)` empties it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerChange {
    pub version: i32,
    pub email: Option<Option<String>>,
    pub name: Option<Option<String>>,
    pub country: Option<Option<String>>,
    pub metadata: Option<BTreeMap<String, String>>,
    pub kyc_level: Option<u8>,
    pub blocked: Option<bool>,
}

/// Which customers a list has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerFilter {
    pub reference: Option<String>,
    pub email: Option<String>,
}

const NOT_FOUND: Refusal = Refusal::NotFound { what: "customer" };

fn audited(customer: &Profile) -> Value {
    json!({
        "reference_id": customer.reference, "email": customer.email, "name": customer.name, "country": customer.country,
        "metadata": customer.metadata, "kyc_level": customer.kyc_level, "blocked_at": customer.blocked_at,
    })
}

fn problems_of(email: Option<&str>, country: Option<&str>, kyc_level: u8) -> Result<(), Refusal> {
    let mut problems = Vec::new();
    if email.is_some_and(|email| !is_email(email)) {
        problems.push(Problem::new("/data/attributes/email", "INVALID_VALUE", "This is no e-mail address."));
    }
    if country.is_some_and(|code| code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_uppercase())) {
        let detail = "This is a country's two letters (ISO 3166-1), as in DE.";
        problems.push(Problem::new("/data/attributes/country", "INVALID_VALUE", detail));
    }
    if kyc_level > KYC_LEVEL_MAX {
        let detail = format!("This is a whole number from 0 to {KYC_LEVEL_MAX}.");
        problems.push(Problem::new("/data/attributes/kyc_level", "OUT_OF_RANGE", detail));
    }
    if problems.is_empty() { Ok(()) } else { Err(Refusal::Invalid(problems)) }
}

/// Something before and after one `@`; what it reaches is for the partner to know.
fn is_email(text: &str) -> bool {
    let fits = (3..=254).contains(&text.chars().count()) && !text.chars().any(char::is_whitespace);
    fits && text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
}

/// What a customer's token says of them.
#[derive(Clone, Debug)]
pub struct TokenGround {
    pub partner_code: String,
    /// The partner's own name for the customer.
    pub reference: String,
    /// Of the customer's tokens; blocking, unblocking and revoking begin another.
    pub generation: i64,
}

impl Gateway {
    /// Writes a customer down. A reference that is known is a conflict.
    pub async fn create_customer(&self, author: &Author, new: NewCustomer) -> Result<Profile, Refusal> {
        problems_of(new.email.as_deref(), new.country.as_deref(), new.kyc_level)?;
        let now = self.clock.now();
        let customer = Profile {
            id: CustomerId::new(),
            reference: new.reference,
            kyc_level: i16::from(new.kyc_level),
            blocked_at: new.blocked.then_some(now),
            email: new.email,
            name: new.name,
            country: new.country,
            metadata: json!(new.metadata),
            version: 1,
            created_at: now,
            updated_at: None,
        };
        let written = transaction(&self.db, async |conn| {
            customers::insert_profile(conn, author.tenant, &customer).await?;
            record(conn, author, "customer.create", None, &customer, now).await
        })
        .await;
        match written {
            Ok(()) => Ok(customer),
            Err(Refusal::Failed(super::GatewayError::Db(DbError::Conflict(_)))) => {
                Err(Refusal::conflict("REFERENCE_TAKEN", "There is a customer with this reference_id already."))
            }
            Err(refusal) => Err(refusal),
        }
    }

    pub async fn find_customer(&self, tenant: Tenant, id: CustomerId) -> Result<Profile, Refusal> {
        let conn = self.db.get().await?;
        customers::find_profile(&conn, tenant, id).await?.ok_or(NOT_FOUND)
    }

    /// What a token of a customer says that may be signed for them. `kyc_level` is what it is to vouch for.
    pub async fn token_customer(
        &self,
        tenant: Tenant,
        id: CustomerId,
        kyc_level: Option<u8>,
    ) -> Result<TokenGround, Refusal> {
        let customer = self.find_customer(tenant, id).await?;
        let generation = {
            let conn = self.db.get().await?;
            customers::token_generation(&conn, tenant, id).await?
        };
        let Some(generation) = generation else {
            return Err(Refusal::conflict("CUSTOMER_BLOCKED", "The customer is blocked: nothing is signed for them."));
        };
        if kyc_level.is_some_and(|level| i16::from(level) > customer.kyc_level) {
            let detail = format!("The customer is at level {}: a token says no more.", customer.kyc_level);
            return Err(Refusal::invalid("/data/attributes/kyc_level", "OUT_OF_RANGE", detail));
        }
        let snapshot =
            self.routes.snapshot(&self.db, &self.assets, &self.providers, &self.credentials, self.clock.now()).await?;
        let partner_code = snapshot.partner_code(tenant.partner_id).ok_or(NOT_FOUND)?.to_owned();
        Ok(TokenGround { partner_code, reference: customer.reference, generation })
    }

    /// Revokes all tokens that were signed for a customer until now.
    pub async fn revoke_tokens(&self, author: &Author, id: CustomerId) -> Result<DateTime<Utc>, Refusal> {
        let now = self.clock.now();
        transaction(&self.db, async |conn| {
            let Some(generation) = customers::revoke_tokens(conn, author.tenant, id).await? else {
                return Err(NOT_FOUND);
            };
            let action = Action {
                action: "customer.tokens.revoke",
                object: id.to_string(),
                before: None,
                after: Some(json!({ "token_generation": generation })),
                result: audit::DONE,
            };
            Ok(audit::record(conn, author, action, now).await?)
        })
        .await?;
        Ok(now)
    }

    /// A tenant's customers.
    pub async fn list_customers(
        &self,
        tenant: Tenant,
        filter: &CustomerFilter,
        slice: Slice,
    ) -> Result<Vec<Profile>, Refusal> {
        let conn = self.db.get().await?;
        let is_wanted = |customer: &Profile| filter.email.is_none() || filter.email == customer.email;
        Ok(match (&filter.reference, &filter.email) {
            // There is one at most: it is on the first page, and nothing is behind it.
            (Some(reference), _) => customers::find_profile_by_reference(&conn, tenant, reference)
                .await?
                .into_iter()
                .filter(|customer| is_wanted(customer) && slice.has((customer.created_at, customer.id.0)))
                .collect(),
            (None, Some(email)) => customers::list_by_email(&conn, tenant, email, slice).await?,
            (None, None) => customers::list(&conn, tenant, slice).await?,
        })
    }

    /// Changes a customer who is at the version that the caller saw.
    pub async fn change_customer(
        &self,
        author: &Author,
        id: CustomerId,
        change: CustomerChange,
    ) -> Result<Profile, Refusal> {
        let email = change.email.as_ref().and_then(Option::as_deref);
        let country = change.country.as_ref().and_then(Option::as_deref);
        problems_of(email, country, change.kyc_level.unwrap_or(0))?;
        let now = self.clock.now();
        transaction(&self.db, async |conn| {
            let before = customers::lock_profile(conn, author.tenant, id).await?.ok_or(NOT_FOUND)?;
            if before.version != change.version {
                let detail = format!("The customer is at version {}.", before.version);
                return Err(Refusal::conflict("VERSION_CONFLICT", detail));
            }
            let change = change.clone();
            let blocked_at = match change.blocked {
                None => before.blocked_at,
                Some(true) => before.blocked_at.or(Some(now)),
                Some(false) => None,
            };
            let after = Profile {
                email: change.email.unwrap_or_else(|| before.email.clone()),
                name: change.name.unwrap_or_else(|| before.name.clone()),
                country: change.country.unwrap_or_else(|| before.country.clone()),
                metadata: change.metadata.map_or_else(|| before.metadata.clone(), |metadata| json!(metadata)),
                kyc_level: change.kyc_level.map_or(before.kyc_level, i16::from),
                blocked_at,
                version: before.version.saturating_add(1),
                updated_at: Some(now),
                ..before.clone()
            };
            customers::update_profile(conn, author.tenant, &after).await?;
            record(conn, author, "customer.change", Some(&before), &after, now).await?;
            Ok(after)
        })
        .await
    }
}

async fn record(
    conn: &AsyncPgConnection,
    author: &Author,
    action: &'static str,
    before: Option<&Profile>,
    after: &Profile,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let action = Action {
        action,
        object: after.id.to_string(),
        before: before.map(audited),
        after: Some(audited(after)),
        result: audit::DONE,
    };
    Ok(audit::record(conn, author, action, now).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_address_has_something_on_both_sides() {
        for good in ["a@b", "alice+tag@example.com", "ä@münchen.de"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "a@", "@b", "a b@c", "a@b@c", "ab", &format!("{}@b", "a".repeat(254))] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
