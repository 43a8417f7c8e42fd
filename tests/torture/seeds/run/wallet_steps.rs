//! What the wallet's users do: they take an offer and pay it, twice at once if their thumb is quick.

use landfall::domain::ids::PayoutRequestId;
use landfall::wallet::accept::{Answer, Pay};
use landfall::wallet::cards::AddCard;
use landfall::wallet::offers::OfferInput;
use rust_decimal::Decimal;
use zeroize::Zeroizing;

use super::super::ground::PROCESSES;
use super::{OfferMade, Run};

/// What a user has at first, in USDT.
pub const USER_FUNDS: &str = "2000";
const USERS: usize = 2;

impl Run<'_> {
    pub(super) async fn wallet(&mut self, process: usize) {
        if self.users.len() < USERS {
            self.new_user().await;
            return;
        }
        let again = !self.offers.is_empty() && self.draw.percent(35);
        if again {
            let index = self.draw.below(self.offers.len());
            self.tally.note("fault", "offer paid again");
            return self.pay(process, index).await;
        }
        if self.offers.len() >= 8 {
            return;
        }
        self.ground.quote_rates();
        let user = self.draw.below(self.users.len());
        let (of, card) = self.users[user].clone();
        let amount_to = self.draw.amount(25, 180);
        let input = OfferInput {
            amount: None,
            amount_to: Some(amount_to.to_string()),
            currency_from: "USDT".to_owned(),
            currency_to: "EUR".to_owned(),
        };
        let offer = match self.ground.app(process).wallet.create_offer(&of, input, card).await {
            Ok(offer) => offer,
            Err(error) => return self.broken("an offer is made", format!("{amount_to} EUR: {error:?}")),
        };
        self.note(format!("process {process} offers {} EUR for {}", offer.amount_to, offer.total_from));
        let total = offer.total_from;
        self.offers.push(OfferMade { user, id: offer.id, total, amount_to: offer.amount_to, request: None });
        self.pay(process, self.offers.len() - 1).await;
    }

    async fn new_user(&mut self) {
        let app = self.ground.app(0);
        let name = format!("user-{}", self.users.len());
        let user = app.wallet.user("demo", landfall::domain::ids::Mode::Test, &name, Some(3)).await.unwrap();
        app.wallet.credit(&user, "USDT", USER_FUNDS, &format!("first-{name}")).await.unwrap();
        let card = AddCard {
            number: Zeroizing::new(crate::world::PAID.to_owned()),
            holder: "ALICE EXAMPLE".to_owned(),
            expiry_year: "2045".to_owned(),
            expiry_month: "12".to_owned(),
        };
        let card = app.wallet.add_card(&user, card).await.unwrap().id;
        self.users.push((user, card));
    }

    async fn pay(&mut self, process: usize, index: usize) {
        let OfferMade { user, id, .. } = self.offers[index];
        let user = self.users[user].0.clone();
        let pay = |user| [Pay { user, offer_id: id, seen_version: None, request_id: PayoutRequestId::new() }];
        let first = pay(user.clone());
        let wallet = &self.ground.app(process).wallet;
        self.lay_trap(8);
        if self.draw.percent(30) {
            let other = (process + 1) % PROCESSES;
            let second = pay(user);
            let two = &self.ground.app(other).wallet;
            let both = async { tokio::join!(wallet.accept(&first), two.accept(&second)) };
            self.tally.note("fault", "offer paid twice at once");
            let (done, injected) = self.done(&[process, other], both).await;
            let Some((one, two)) = done else { return };
            self.paid(index, one, injected);
            self.paid(index, two, injected);
            return;
        }
        let (done, injected) = self.done(&[process], wallet.accept(&first)).await;
        if let Some(answer) = done {
            self.paid(index, answer, injected);
        }
    }

    fn paid(&mut self, index: usize, answer: Result<Vec<Answer>, landfall::wallet::WalletError>, injected: bool) {
        let request = match answer.map(|mut answers| answers.remove(0)) {
            Ok(Answer::Accepted(request)) => request,
            Ok(Answer::Before(offer)) => match offer.request_id {
                Some(request) => request,
                None => return self.broken("an offer is paid once", "paid before, without a request"),
            },
            Ok(Answer::Refused(refusal)) => return self.note(format!("  the pay is refused: {refusal:?}")),
            Ok(other) => return self.broken("an offer is paid once", format!("{other:?}")),
            Err(error) => {
                self.note(format!("  the pay failed: {error:?}"));
                if !injected {
                    self.broken("no step fails by itself", format!("accept: {error:?}"));
                }
                return;
            }
        };
        let known = self.offers[index].request.replace(request);
        if known.is_some_and(|known| known != request) {
            self.broken("an offer is paid once", format!("by {known:?} and by {request}"));
        }
    }

    /// What a user has at first.
    pub(super) fn user_funds() -> Decimal {
        USER_FUNDS.parse().unwrap()
    }
}
