//! Payout schemes as staff see and change them: of every partner, each with its tenant's own routes and services. That a body is sound,
//! and what it would do, is the gateway's to say; here it is looked at who asks, and whether a second person has to approve.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::desk::{After, Desk, DeskError, Page, limit};
use super::moderation::{DECIDES, Waits, Word, decider};
use super::session::SessionOwner;
use crate::config::gateway::HOUSE;
use crate::domain::ids::{Mode, PayoutSchemeId, Tenant};
use crate::domain::staff::Role;
use crate::gateway::GatewayError;
use crate::gateway::access::audit::{Author, Gate};
use crate::gateway::access::{Caller, Principal, Problem, Refusal, Scope};
use crate::gateway::approvals::{Change, ChangeError, Configure, Maker};
use crate::gateway::manage::{Attributes, Slice, version_key};
use crate::gateway::simulate::Found;
use crate::store::dashboard::schemes;
use crate::store::partners;

pub use crate::domain::routing::KnownRoute;
pub use crate::gateway::manage::schemes::SchemeVersion;
pub use crate::gateway::route_book::DEFAULT_SCHEME;
pub use crate::gateway::route_book::SchemeGround;
pub use crate::gateway::simulate::{Example, NotRouted, REPLAYED_MAX, Replay, Share, Taking};
pub use crate::store::dashboard::schemes::{PointLine, SchemeLine};

/// The least role that changes how payouts are routed.
pub const ROUTES: Role = DECIDES;
/// How many versions are listed, and how many points.
const VERSIONS_SHOWN: i64 = 50;
const POINTS_SHOWN: i64 = 50;

/// A scheme with everything around it.
#[derive(Clone, Debug)]
pub struct SchemePage {
    pub line: SchemeLine,
    pub tenant: Tenant,
    /// In force.
    pub current: SchemeVersion,
    /// The newest first, the one in force among them.
    pub versions: Vec<SchemeVersion>,
    pub points: Vec<PointLine>,
    /// Whether it routes what names no scheme.
    pub is_default: bool,
    /// Whether a change waits for a second person.
    pub needs_second_person: bool,
    /// What bodies may refer to.
    pub ground: SchemeGround,
}

/// Why something about a scheme wasn't done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SchemeError {
    #[error("A role of {ROUTES} or above decides")]
    Role,
    #[error("there is no such scheme")]
    NotFound,
    /// Everything that is wrong with what was typed; pointers begin at the attribute: `/body/services/...`, `/code`.
    #[error("invalid: {0:?}")]
    Invalid(Vec<Problem>),
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Desk(#[from] DeskError),
}

impl From<Refusal> for SchemeError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(problems) => {
                let under = |problem: Problem| {
                    let pointer = problem.pointer.strip_prefix("/data/attributes").unwrap_or_default().to_owned();
                    Problem { pointer, ..problem }
                };
                SchemeError::Invalid(problems.into_iter().map(under).collect())
            }
            Refusal::NotFound { .. } => SchemeError::NotFound,
            Refusal::Conflict { detail, .. } | Refusal::Forbidden { detail, .. } => SchemeError::Refused(detail),
            Refusal::Failed(error) => SchemeError::Desk(error.into()),
        }
    }
}

impl From<ChangeError> for SchemeError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(refusal) => refusal.into(),
            other => SchemeError::Desk(GatewayError::Corrupt(other.to_string()).into()),
        }
    }
}

impl From<GatewayError> for SchemeError {
    fn from(error: GatewayError) -> Self {
        SchemeError::Desk(error.into())
    }
}

impl From<crate::store::error::DbError> for SchemeError {
    fn from(error: crate::store::error::DbError) -> Self {
        SchemeError::Desk(error.into())
    }
}

impl From<diesel::result::Error> for SchemeError {
    fn from(error: diesel::result::Error) -> Self {
        SchemeError::Desk(error.into())
    }
}

/// What is to become the next version.
#[derive(Clone, Debug)]
pub struct Draft {
    pub body: Value,
    pub comment: Option<String>,
    /// The version that it follows.
    pub version: i32,
}

impl Desk {
    /// Schemes of every partner, those that were changed last first.
    pub async fn schemes(
        &self,
        mode: Mode,
        after: Option<After<Uuid>>,
        lines_max: usize,
    ) -> Result<Page<SchemeLine, Uuid>, DeskError> {
        let mut conn = self.connection().await?;
        let after = after.unwrap_or_else(|| After::newest(Uuid::max()));
        let lines = schemes::list(&mut conn, mode, after, limit(lines_max)).await?;
        Ok(Page::of(lines, lines_max, |line| After { at: line.updated_at, id: line.id.0 }))
    }

    /// One scheme with its version in force.
    pub async fn scheme(&self, mode: Mode, partner: &str, id: PayoutSchemeId) -> Result<SchemePage, SchemeError> {
        let (line, points) = {
            let mut conn = self.connection().await?;
            let line = schemes::find(&mut conn, mode, partner, id).await?.ok_or(SchemeError::NotFound)?;
            (line, schemes::points_of(&mut conn, mode, id, POINTS_SHOWN).await?)
        };
        let tenant = Tenant { partner_id: line.partner_id, mode };
        let onlooker = caller(tenant, partner, String::new(), None);
        let (_, current) = self.gateway().find_scheme(&onlooker, id).await?;
        let slice = Slice {
            newest_first: true,
            after: (DateTime::<Utc>::MAX_UTC, version_key(i32::MAX)),
            limit: VERSIONS_SHOWN,
        };
        let versions = self.gateway().list_scheme_versions(&onlooker, id, slice).await?;
        let ground = self.gateway().snapshot().await?.known_to(tenant);
        let is_default = partner == HOUSE && line.code == DEFAULT_SCHEME;
        let needs_second_person = self.gateway().needs_second_person(mode);
        Ok(SchemePage { line, tenant, current, versions, points, is_default, needs_second_person, ground })
    }

    /// A version of it, whether it is in force or was.
    pub async fn scheme_version(&self, page: &SchemePage, version: i32) -> Result<SchemeVersion, SchemeError> {
        let onlooker = caller(page.tenant, &page.line.partner, String::new(), None);
        Ok(self.gateway().find_scheme_version(&onlooker, page.line.id, version).await?)
    }

    /// Tells what would keep a body from being published.
    pub async fn check_scheme(&self, page: &SchemePage, body: &Value) -> Result<(), SchemeError> {
        let onlooker = caller(page.tenant, &page.line.partner, String::new(), None);
        self.gateway().check_scheme(&onlooker, page.line.id, body).await.map_err(SchemeError::from)
    }

    /// What a body would have done with the last requests.
    pub async fn replay_scheme(&self, page: &SchemePage, body: &Value, last: i64) -> Result<Replay, SchemeError> {
        let onlooker = caller(page.tenant, &page.line.partner, String::new(), None);
        let given = json!({"body": body, "last": last});
        let given = given.as_object().cloned().unwrap_or_default();
        match Box::pin(self.gateway().simulate_payout_scheme(&onlooker, page.line.id, &given)).await?.found {
            Found::Replay(replay) => Ok(replay),
            Found::Sample(_) => Err(GatewayError::Corrupt("a replay was asked for".to_owned()).into()),
        }
    }

    /// Puts a draft in force, or asks for it where another person has to approve.
    pub async fn publish_scheme(
        &self,
        owner: &SessionOwner,
        origin: Option<String>,
        page: &SchemePage,
        draft: &Draft,
    ) -> Result<Word<SchemeVersion>, SchemeError> {
        let caller = writer(owner, origin, page.tenant, &page.line.partner)?;
        let given = json!({"body": draft.body, "comment": draft.comment, "version": draft.version});
        let given = given.as_object().cloned().unwrap_or_default();
        if let Some(waits) = self.ask_first(&caller, Configure::PublishPayoutScheme(page.line.id), &given).await? {
            return Ok(Word::Waits(waits));
        }
        Ok(Word::Done(self.gateway().publish_scheme(&caller, page.line.id, &given).await?))
    }

    /// Makes a partner's scheme, or asks for it. `given` is as the API takes it.
    pub async fn create_scheme(
        &self,
        owner: &SessionOwner,
        origin: Option<String>,
        (mode, partner): (Mode, &str),
        given: &Attributes,
    ) -> Result<Word<PayoutSchemeId>, SchemeError> {
        let tenant = self.tenant_of(mode, partner).await?.ok_or(SchemeError::NotFound)?;
        let caller = writer(owner, origin, tenant, partner)?;
        if let Some(waits) = self.ask_first(&caller, Configure::CreatePayoutScheme, given).await? {
            return Ok(Word::Waits(waits));
        }
        let (scheme, _) = self.gateway().create_scheme(&caller, given).await?;
        Ok(Word::Done(scheme.id))
    }

    /// The codes of all partners.
    pub async fn partner_codes(&self) -> Result<Vec<String>, DeskError> {
        let mut conn = self.connection().await?;
        Ok(partners::all(&mut conn).await?.into_iter().map(|partner| partner.code).collect())
    }

    /// What a partner's schemes may refer to; `None`: there is no such partner.
    pub async fn scheme_ground(&self, mode: Mode, partner: &str) -> Result<Option<SchemeGround>, DeskError> {
        let Some(tenant) = self.tenant_of(mode, partner).await? else { return Ok(None) };
        Ok(Some(self.gateway().snapshot().await?.known_to(tenant)))
    }

    async fn tenant_of(&self, mode: Mode, partner: &str) -> Result<Option<Tenant>, DeskError> {
        let mut conn = self.connection().await?;
        let found = partners::all(&mut conn).await?.into_iter().find(|known| known.code == partner);
        Ok(found.map(|known| Tenant { partner_id: known.id, mode }))
    }

    /// Asks for a change where its mode needs a second person. `None`: it is to be made now.
    async fn ask_first(
        &self,
        caller: &Caller,
        what: Configure,
        given: &Attributes,
    ) -> Result<Option<Waits>, SchemeError> {
        if !self.gateway().needs_second_person(caller.tenant.mode) {
            return Ok(None);
        }
        let change = Change::Configure { by: Maker::from(caller), what, given: given.clone() };
        Ok(self.gateway().ask_for(&Author::from(caller), &change).await?)
    }
}

/// Somebody of the staff who routes for a tenant.
fn caller(tenant: Tenant, partner: &str, name: String, origin: Option<String>) -> Caller {
    Caller {
        tenant,
        by: Principal::Staff(name),
        scopes: [Scope::RoutingRead, Scope::RoutingWrite].into(),
        is_house: partner == HOUSE,
        origin,
        gate: Gate::Open,
    }
}

/// The same, if their role may change anything.
fn writer(owner: &SessionOwner, origin: Option<String>, tenant: Tenant, partner: &str) -> Result<Caller, SchemeError> {
    if owner.role < ROUTES {
        return Err(SchemeError::Role);
    }
    let who = decider(owner, origin);
    Ok(caller(tenant, partner, who.actor, who.origin))
}
