//! The payout gateway's use cases: submit, dispatch, invoke, complete, inquire, and a provider's callbacks.
//!
//! Each is load -> decide -> commit; no transaction is open during a network call, and what was sent is always
//! written down before (invariant 3). Use cases take slices, and one is a slice of one.

pub mod access;
pub mod account_calls;
pub mod account_checks;
pub mod approvals;
pub mod balance_samples;
pub mod balance_syncs;
pub mod batches;
pub mod blocks;
pub mod breakers;
pub mod callback;
pub mod cases;
pub mod complete;
pub mod customers;
pub mod dispatch;
pub mod funds;
pub mod housekeeping;
pub mod inquire;
pub mod invoke;
pub mod journal;
pub mod key_life;
pub mod manage;
pub mod metrics;
pub mod moderation;
pub mod people;
pub mod places;
pub mod prices;
pub mod progress;
pub mod reconciliation;
pub mod reports;
pub mod requests;
pub mod retention;
pub mod route_book;
pub mod sandbox;
pub mod screening;
pub mod sealing;
pub mod seed;
pub mod settle;
pub mod simulate;
pub mod statistics;
pub mod submit;
pub mod terms;
pub mod waiters;
pub mod webhooks;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::config::gateway::GatewaySettings;
use crate::domain::asset::{Asset, Assets};
use crate::domain::card::{IinDigits, IssuerTable};
use crate::domain::exact::ArithmeticError;
use crate::domain::ids::{PayoutId, PayoutRequestId, ProviderAccountId, Tenant};
use crate::domain::ledger::LedgerError;
use crate::domain::offer::SettlementError;
use crate::domain::payout::PayoutTransitionError;
use crate::domain::payout_request::{RequestStatus, RequestTransitionError};
use crate::providers::provider::ProviderError;
use crate::providers::registry::ProviderRegistry;
use crate::store::error::DbError;
use crate::store::retry::TransactionError;
use crate::vault::Vault;
use secrecy::SecretString;

/// What the gateway's use cases need.
pub struct Gateway {
    pub db: crate::store::pool::Db,
    pub clock: Arc<dyn Clock>,
    pub vault: Arc<Vault>,
    pub providers: Arc<ProviderRegistry>,
    pub routes: route_book::RouteBook,
    pub assets: Assets,
    pub settings: GatewaySettings,
    /// Market prices of exchange-rate schemes.
    pub prices: Arc<dyn prices::MarketPrices>,
    /// In which payout schemes compare amounts of different currencies.
    pub reference_currency: Asset,
    /// How much of a card number stays in the clear.
    pub iin_digits: IinDigits,
    /// What needs a second person.
    pub second_person: approvals::SecondPerson,
    /// Who tells whether something may be paid to somebody, and when it is asked.
    pub screening: screening::Screening,
    /// What the first digits of a card tell of its issuer, for routing and the block list.
    pub issuers: Arc<IssuerTable>,
    /// How data keys live.
    pub keys: key_life::KeyPolicy,
    /// How long claimed work is ours.
    pub lease: Duration,
    /// Calls to provider accounts under way in this process.
    pub account_calls: account_calls::AccountCalls,
    /// Secrets of provider accounts, by account code.
    pub credentials: BTreeMap<String, BTreeMap<String, SecretString>>,
    /// Whoever waits in this process for a request to end.
    pub waiters: waiters::Waiters<PayoutRequestId, RequestStatus>,
    /// Hints this process's workers that there is something to dispatch, or a callback to apply. Only hints: workers look by
    /// themselves too.
    pub dispatch_hint: Notify,
    pub callback_hint: Notify,
    /// Where partners are told what happened, and how.
    pub webhooks: webhooks::Webhooks,
    /// When what is old is looked for next.
    pub retention_turn: retention::Turn,
    pub balances_sampled: balance_samples::Last,
}

/// A failure of the gateway's own, not of a payout.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("request {0}: {1}")]
    Request(PayoutRequestId, #[source] RequestTransitionError),
    #[error("payout {0}: {1}")]
    Payout(PayoutId, #[source] PayoutTransitionError),
    #[error("booking: {0}")]
    Ledger(#[from] LedgerError),
    #[error("settling: {0}")]
    Settlement(#[from] SettlementError),
    #[error("arithmetic: {0}")]
    Arithmetic(#[from] ArithmeticError),
    #[error("stored data can't be read: {0}")]
    Corrupt(String),
    #[error("a provider account's credentials: {0}")]
    Credentials(#[from] manage::credentials::CredentialsError),
    #[error("data keys: {0}")]
    Keys(#[source] Box<key_life::KeyLifeError>),
    #[error("an API key's signing secret: {0}")]
    Signing(#[from] crate::vault::VaultError),
    #[error("a provider's answer: {0}")]
    Provider(#[source] ProviderError),
    #[error("no provider account {0}")]
    NoProviderAccount(ProviderAccountId),
    /// What the partner goes by in a mode can't be read: until that is mended nothing is priced or taken for it.
    #[error("the terms of {} in {} mode can't be read", .0.partner_id, .0.mode)]
    TermsUnavailable(Tenant),
}

impl From<diesel::result::Error> for GatewayError {
    fn from(error: diesel::result::Error) -> Self {
        GatewayError::Db(error.into())
    }
}

crate::transaction_error!(GatewayError::Db);

impl GatewayError {
    /// Whether the database is to blame, and nothing of what was to be done.
    fn is_of_the_database(&self) -> bool {
        match self.db_error() {
            None | Some(DbError::Conflict(_) | DbError::Refused(_) | DbError::Held(_) | DbError::Other(_)) => false,
            Some(
                DbError::Unavailable(_)
                | DbError::Timeout(_)
                | DbError::Collision(_)
                | DbError::RetriesExhausted { .. }
                | DbError::CommitUnknown(_)
                | DbError::ReadOnly(_)
                | DbError::Full(_)
                | DbError::Aborted,
            ) => true,
        }
    }

    /// Whether a provider doesn't answer now, and may later.
    pub fn is_provider_away(&self) -> bool {
        matches!(self, GatewayError::Provider(ProviderError::Unavailable(_)))
    }
}

impl Gateway {
    /// Changes to be gathered.
    fn changes(&self) -> complete::Changes {
        complete::Changes::over(self.routes.latest().synced().clone())
    }
}
