//! A change that can wait for a second person: what it does, who asked for it, and why it can't be made.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::ids::{
    ApiKeyId, DepositAccountId, ExchangeSchemeId, PayoutPointId, PayoutSchemeId, ProviderAccountId, RouteId,
};
use crate::domain::staff::Role;
use crate::gateway::GatewayError;
use crate::gateway::access::keys::{Drawn, KeyChange, NewKey};
use crate::gateway::access::{Caller, Refusal, Scope};
use crate::gateway::cases::{CaseClosing, CaseRefusal};
use crate::gateway::manage::Attributes;
use crate::gateway::moderation::{DecideError, Decision};
use crate::gateway::people::{PeopleError, StaffChange, StaffVerb};
use crate::gateway::terms::NewTerms;
use crate::store::error::DbError;
use crate::store::retry::TransactionError;

/// What stands for a credential.
const NOT_SHOWN: &str = "(not shown)";

/// A change that can wait for a second person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    Decide(Decision),
    CloseCase {
        case_id: Uuid,
        closing: CaseClosing,
    },
    CreateKey {
        by: Maker,
        new: NewKey,
        drawn: Drawn,
    },
    ChangeKey {
        by: Maker,
        id: ApiKeyId,
        change: KeyChange,
    },
    Configure {
        by: Maker,
        what: Configure,
        given: Attributes,
    },
    Staff(StaffChange),
    /// Of the partner that the change is written down for.
    Terms(NewTerms),
}

/// What is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Configure {
    CreatePoint,
    ChangePoint(PayoutPointId),
    CreateProviderAccount,
    ChangeProviderAccount(ProviderAccountId),
    CreateDepositAccount,
    ChangeDepositAccount(DepositAccountId),
    CreateRoute,
    ChangeRoute(RouteId),
    CreatePayoutScheme,
    PublishPayoutScheme(PayoutSchemeId),
    CreateExchangeScheme,
    PublishExchangeScheme(ExchangeSchemeId),
}

/// Who asks for a change, as they were then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maker {
    /// `None`: somebody of the staff.
    pub(super) key_id: Option<ApiKeyId>,
    pub(super) scopes: Vec<Scope>,
    pub(super) is_house: bool,
}

impl From<&Caller> for Maker {
    fn from(caller: &Caller) -> Self {
        Self { key_id: caller.key_id(), scopes: caller.scopes.iter().copied().collect(), is_house: caller.is_house }
    }
}

/// A payout scheme's body that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftedScheme {
    /// `None`: the scheme would be made.
    pub id: Option<PayoutSchemeId>,
    pub body: Value,
}

/// Why a change can't be asked for, or not be made. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Decision(#[from] DecideError),
    #[error(transparent)]
    Case(#[from] CaseRefusal),
    #[error(transparent)]
    People(#[from] PeopleError),
}

impl ChangeError {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            ChangeError::Refused(error) => error.db_error(),
            ChangeError::Decision(error) => error.db_error(),
            ChangeError::Case(error) => error.db_error(),
            ChangeError::People(error) => error.db_error(),
        }
    }

    /// The audit trail's gate held it.
    pub(super) fn held(&self) -> Option<&'static str> {
        match self.db_error() {
            Some(DbError::Held(why)) => Some(why),
            _ => None,
        }
    }

    /// A failure of ours, which says nothing about the change.
    pub(super) fn is_failure(&self) -> bool {
        matches!(
            self,
            ChangeError::Refused(Refusal::Failed(_))
                | ChangeError::Decision(DecideError::Failed(_))
                | ChangeError::Case(CaseRefusal::Gateway(_))
                | ChangeError::People(PeopleError::Db(_))
        ) && self.held().is_none()
    }

    pub(super) fn into_gateway(self) -> GatewayError {
        match self {
            ChangeError::Refused(Refusal::Failed(error))
            | ChangeError::Decision(DecideError::Failed(error))
            | ChangeError::Case(CaseRefusal::Gateway(error)) => error,
            ChangeError::People(PeopleError::Db(error)) => error.into(),
            other => GatewayError::Corrupt(other.to_string()),
        }
    }
}

impl From<GatewayError> for ChangeError {
    fn from(error: GatewayError) -> Self {
        ChangeError::Refused(error.into())
    }
}

impl From<DbError> for ChangeError {
    fn from(error: DbError) -> Self {
        ChangeError::Refused(error.into())
    }
}

impl Change {
    /// Whether all it does is to stop something: that waits for nobody.
    pub fn is_only_a_stop(&self) -> bool {
        if let Change::Staff(change) = self {
            return change.what == StaffVerb::Disable;
        }
        let Change::Configure { what, given, .. } = self else { return false };
        let is_change = matches!(
            what,
            Configure::ChangePoint(_)
                | Configure::ChangeProviderAccount(_)
                | Configure::ChangeDepositAccount(_)
                | Configure::ChangeRoute(_)
        );
        is_change
            && given.get("enabled") == Some(&Value::Bool(false))
            && given.keys().all(|name| matches!(name.as_str(), "enabled" | "version"))
    }

    /// The least role that asks for it, approves and declines it: configuration and money are an operator's, who may call or sign in is
    /// an admin's.
    pub const fn least_role(&self) -> Role {
        match self {
            Change::CreateKey { .. } | Change::ChangeKey { .. } | Change::Staff(_) => Role::Admin,
            Change::Decide(_) | Change::CloseCase { .. } | Change::Configure { .. } | Change::Terms(_) => {
                Role::Operator
            }
        }
    }

    /// What a key needs to ask for it; `None`: keys don't.
    pub(super) const fn scope(&self) -> Option<Scope> {
        match self {
            Change::Decide(_) | Change::CloseCase { .. } | Change::Staff(_) | Change::Terms(_) => None,
            Change::CreateKey { .. } | Change::ChangeKey { .. } => Some(Scope::KeysWrite),
            Change::Configure { .. } => Some(Scope::RoutingWrite),
        }
    }

    /// What was sent, for the second person: the audit trail keeps less, such as no body of a scheme. Nobody is shown credentials.
    pub(super) fn wish(&self) -> Option<Value> {
        let Change::Configure { given, .. } = self else { return None };
        let mut given = given.clone();
        match given.get_mut("credentials") {
            Some(Value::Object(credentials)) => credentials.values_mut().for_each(hide),
            Some(other) => hide(other),
            None => {}
        }
        Some(Value::Object(given))
    }

    pub(super) fn drafted_scheme(&self) -> Option<DraftedScheme> {
        let Change::Configure { what, given, .. } = self else { return None };
        let id = match what {
            Configure::CreatePayoutScheme => None,
            Configure::PublishPayoutScheme(id) => Some(*id),
            _ => return None,
        };
        Some(DraftedScheme { id, body: given.get("body")?.clone() })
    }

    pub(super) fn maker(&self) -> Option<&Maker> {
        match self {
            Change::Decide(_) | Change::CloseCase { .. } | Change::Staff(_) | Change::Terms(_) => None,
            Change::CreateKey { by, .. } | Change::ChangeKey { by, .. } | Change::Configure { by, .. } => Some(by),
        }
    }
}

/// A credential as it is shown: whether it is set, or removed.
fn hide(credential: &mut Value) {
    if !credential.is_null() {
        *credential = Value::String(NOT_SHOWN.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gateway::approvals::written;

    fn change(what: Configure, given: Value) -> Change {
        let by = Maker { key_id: Some(ApiKeyId::new()), scopes: vec![Scope::RoutingWrite], is_house: true };
        Change::Configure { by, what, given: given.as_object().cloned().unwrap_or_default() }
    }

    #[test]
    fn only_a_stop_waits_for_nobody() {
        let route = Configure::ChangeRoute(RouteId::new());
        assert!(change(route, json!({"enabled": false})).is_only_a_stop());
        assert!(change(route, json!({"enabled": false, "version": 3})).is_only_a_stop());
        for given in
            [json!({"enabled": true}), json!({"enabled": false, "weight": 2}), json!({"version": 1}), json!({})]
        {
            assert!(!change(route, given.clone()).is_only_a_stop(), "{given}");
        }
        assert!(!change(Configure::CreateRoute, json!({"enabled": false})).is_only_a_stop());
    }

    #[test]
    fn a_change_survives_being_written_down_with_its_numbers_exact() {
        let change = change(Configure::CreateRoute, json!({"cost_percent": "0.1"}));
        let mut text = String::from_utf8(written(&change).unwrap()).unwrap();
        text = text.replace("\"0.1\"", "0.10000000000000000000000000001");
        let read: Change = serde_json::from_str(&text).unwrap();
        assert_eq!(String::from_utf8(written(&read).unwrap()).unwrap(), text);
        let by = Maker { key_id: Some(ApiKeyId::new()), scopes: Vec::new(), is_house: false };
        for expires_at in [None, Some(None), Some(Some(chrono::DateTime::UNIX_EPOCH))] {
            let given = KeyChange { expires_at, ..KeyChange::default() };
            let change = Change::ChangeKey { by: by.clone(), id: ApiKeyId::new(), change: given };
            assert_eq!(serde_json::from_slice::<Change>(&written(&change).unwrap()).unwrap(), change);
        }
    }
}
