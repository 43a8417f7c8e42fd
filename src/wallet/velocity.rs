//! Velocity rules at an offer: which of them it meets, what they count, and what they say. The same for a quote and for a pay; only a pay
//! counts under locks.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;

use super::{User, Wallet, WalletError};
use crate::domain::ids::Tenant;
use crate::domain::offer::{PriceBook, RuleResult};
use crate::domain::rate::Pair;
use crate::domain::velocity::{Counted, VelocityFacts, VelocityRule, VelocitySubject};
use crate::store::limits::Subject;
use crate::store::offers::{Offer, OfferCard};
use crate::store::velocity::{self, Question, Whose};

/// What was counted, by rule (its place in the list) and by whose it is.
#[derive(Debug, Default)]
pub(super) struct VelocityCounts(BTreeMap<(usize, Tenant, Whose), Counted>);

/// An offer as the rules look at it.
#[derive(Clone, Copy)]
pub(super) struct Judged<'a> {
    /// What the user's partner goes by.
    pub book: &'a PriceBook,
    pub user: &'a User,
    pub offer: &'a Offer,
    pub card: &'a OfferCard,
    pub kyc_level: u8,
}

impl Judged<'_> {
    fn facts(&self) -> VelocityFacts<'_> {
        VelocityFacts {
            partner: &self.user.partner_code,
            pair: Pair { from: self.offer.currency_from, to: self.offer.currency_to },
            card_scheme: self.card.scheme,
            kyc_level: self.kyc_level,
        }
    }

    fn whose(&self, rule: &VelocityRule) -> Result<Whose, WalletError> {
        Ok(match rule.subject {
            VelocitySubject::Customer => Whose::Customer(self.offer.customer_id),
            VelocitySubject::Card => {
                let fingerprint = self.card.fingerprint.as_slice().try_into();
                Whose::Card(fingerprint.map_err(|_| {
                    WalletError::Internal(format!("card {}: its fingerprint has another length", self.offer.card_id))
                })?)
            }
            VelocitySubject::Partner => Whose::Partner,
        })
    }
}

impl Wallet {
    fn rules_on<'a>(&self, judged: Judged<'a>) -> impl Iterator<Item = (usize, &'a VelocityRule)> {
        let facts = judged.facts();
        let judges = |rule: &VelocityRule| rule.judges(&facts);
        let found: Vec<_> = judged.book.limits.velocity.iter().enumerate().filter(|(_, rule)| judges(rule)).collect();
        found.into_iter()
    }

    /// What has to be locked beside the rolling sums so that nobody else accepts what the rules on these offers count.
    pub(super) fn velocity_locks(&self, offers: &[Judged<'_>]) -> Result<Vec<(Tenant, Subject)>, WalletError> {
        let mut locks = Vec::new();
        for judged in offers {
            for (_, rule) in self.rules_on(*judged) {
                let subject = match judged.whose(rule)? {
                    // Its rolling sum is locked in any case.
                    Whose::Customer(id) => Subject::Customer(id),
                    Whose::Card(fingerprint) => Subject::VelocityCard(fingerprint),
                    Whose::Partner => Subject::VelocityPartner,
                };
                locks.push((judged.offer.tenant(), subject));
            }
        }
        Ok(locks)
    }

    /// Counts for all rules on these offers, in one round trip; in none where no rule is met.
    pub(super) async fn velocity_counts(
        &self,
        conn: &AsyncPgConnection,
        offers: &[Judged<'_>],
        now: DateTime<Utc>,
    ) -> Result<VelocityCounts, WalletError> {
        let mut questions: BTreeMap<(usize, Tenant, Whose), Question> = BTreeMap::new();
        for judged in offers {
            for (n, rule) in self.rules_on(*judged) {
                let (tenant, whose) = (judged.offer.tenant(), judged.whose(rule)?);
                let since = now - rule.window;
                let question = Question { tenant, whose, since, pair: rule.pair, card_scheme: rule.card_scheme };
                questions.insert((n, tenant, whose), question);
            }
        }
        if questions.is_empty() {
            return Ok(VelocityCounts::default());
        }
        let asked: Vec<Question> = questions.values().cloned().collect();
        let counted = velocity::count(conn, &asked).await?;
        Ok(VelocityCounts(questions.into_keys().zip(counted).collect()))
    }

    /// What the rules say of one more payout like this.
    pub(super) fn velocity_results(
        &self,
        judged: Judged<'_>,
        counts: &VelocityCounts,
    ) -> Result<Vec<RuleResult>, WalletError> {
        let (tenant, reference) = (judged.offer.tenant(), judged.book.limits.reference);
        self.rules_on(judged)
            .map(|(n, rule)| {
                // What wasn't counted can't be judged: never taken for nothing.
                let counted = counts.0.get(&(n, tenant, judged.whose(rule)?)).copied().ok_or_else(|| {
                    WalletError::Internal(format!("offer {}: nothing was counted for {:?}", judged.offer.id, rule.name))
                })?;
                Ok(rule.judge(counted, judged.offer.amount_reference, reference))
            })
            .collect()
    }

    /// The offer was accepted: what the next pays of the same batch meet.
    pub(super) fn count_accepted(&self, judged: Judged<'_>, counts: &mut VelocityCounts) -> Result<(), WalletError> {
        let facts = judged.facts();
        for (n, rule) in judged.book.limits.velocity.iter().enumerate().filter(|(_, rule)| rule.counts(&facts)) {
            let key = (n, judged.offer.tenant(), judged.whose(rule)?);
            if let Some(counted) = counts.0.get_mut(&key) {
                *counted = counted.with(judged.offer.amount_reference);
            }
        }
        Ok(())
    }
}
