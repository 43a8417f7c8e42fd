//! Cards: added into the vault, given a billing address, deleted.

use rand::Rng;
use zeroize::Zeroizing;

use super::view::{CardValidation, CardView};
use super::{User, Wallet, WalletError};
use crate::domain::card::{
    self, CardCheckError, CardExpiry, CardScheme, HolderName, Iin, IinDigits, Pan, Screening, ValidationStatus,
    identify, masked_pan, validation_status,
};
use crate::domain::ids::{CardId, CustomerId};
use crate::domain::offer::PriceBook;
use crate::gateway::sealing::sealed_again;
use crate::store::blocks;
use crate::store::cards::{self, Card, NewCard, Renewal};
use crate::store::jobs::{self, JobKind, NewJob};
use crate::store::retry::transaction;
use crate::store::{customers, requests, screenings};
use crate::vault::{CardOwner, RecordId, SealedCard};

/// How many times a card that is added and deleted at once is tried to be written.
const ATTEMPTS: usize = 5;

/// What holds for every card.
#[derive(Clone, Copy, Debug)]
pub struct CardPolicy {
    /// How much of a number stays in the clear.
    pub iin_digits: IinDigits,
}

/// A card as a user typed it.
pub struct AddCard {
    pub number: Zeroizing<String>,
    pub holder: String,
    pub expiry_year: String,
    pub expiry_month: String,
}

/// A card's billing address, as a user typed it.
#[derive(Clone)]
pub struct BillingAddress {
    pub address: String,
    pub city: String,
    /// ISO 3166-1 alpha-2.
    pub country_code: String,
    pub zip: String,
    pub state: Option<String>,
}

/// A card that passed the checks.
struct CheckedCard {
    pan: Pan,
    holder: HolderName,
    expiry: CardExpiry,
    scheme: CardScheme,
}

impl Wallet {
    /// Adds a card. The same card added again is the same card: it shows again, with the holder and expiry it has now.
    pub async fn add_card(&self, user: &User, input: AddCard) -> Result<CardView, WalletError> {
        // Before anything is written: the answer tells what may be paid to the card.
        let in_force = self.terms(user).await?;
        let now = self.now();
        let checked = self.check(&input)?;
        drop(input);
        let customer = {
            let mut conn = self.gateway.db.get().await?;
            customers::find_or_insert(&mut conn, user.tenant, &user.reference, now).await?
        };
        let prints = self.gateway.two_prints(user.tenant, &checked.pan).await?;
        let fingerprint = prints.here.clone();
        {
            let conn = self.gateway.db.get().await?;
            blocks::spread(&conn, user.tenant, vec![prints]).await?;
        }
        for _ in 0..ATTEMPTS {
            // The id is part of what a ciphertext is bound to, so it is known before anything is sealed.
            let known = {
                let mut conn = self.gateway.db.get().await?;
                cards::find_by_fingerprint(&mut conn, user.tenant, customer.id, &fingerprint).await?
            };
            let id = match known {
                Some(id) => id,
                None => CardId::draw(|| rand::rng().next_u64()),
            };
            let owner = CardOwner { tenant: user.tenant, customer_id: Some(customer.id), record: RecordId::from(id) };
            let vault = &self.gateway.vault;
            let is_written = sealed_again(vault, user.tenant, || async {
                let sealed = vault.seal_card(&owner, &checked.pan, &checked.holder).await?;
                match known {
                    Some(id) => self.renew(user, id, &checked, sealed).await,
                    None => self.insert(user, customer.id, id, &checked, sealed, &fingerprint).await,
                }
            })
            .await?;
            if is_written {
                return self.card(&in_force.book, user, customer.id, id).await;
            }
        }
        Err(WalletError::Internal("a card could not be written: it keeps changing".to_owned()))
    }

    fn check(&self, input: &AddCard) -> Result<CheckedCard, WalletError> {
        let now = self.now();
        let pan = Pan::parse(&input.number).map_err(|error| WalletError::not_valid("cardNumber", error.to_string()))?;
        let scheme = identify(&pan).map_err(|error| match error {
            CardCheckError::UnknownScheme => WalletError::CardNotSupported,
            CardCheckError::Length(_) | CardCheckError::Checksum => {
                WalletError::not_valid("cardNumber", error.to_string())
            }
        })?;
        let holder = HolderName::parse(&input.holder)
            .map_err(|error| WalletError::not_valid("cardHolder", error.to_string()))?;
        let expiry = CardExpiry::parse(&input.expiry_year, &input.expiry_month, now).map_err(|error| {
            let field = match error {
                crate::domain::card::ExpiryError::Month => "cardExpirationMonth",
                crate::domain::card::ExpiryError::Year | crate::domain::card::ExpiryError::TooFarAhead => {
                    "cardExpirationYear"
                }
            };
            WalletError::not_valid(field, error.to_string())
        })?;
        if expiry.is_past(now) {
            return Err(WalletError::CardExpired);
        }
        Ok(CheckedCard { pan, holder, expiry, scheme })
    }

    async fn insert(
        &self,
        user: &User,
        customer_id: CustomerId,
        id: CardId,
        card: &CheckedCard,
        sealed: SealedCard,
        fingerprint: &[u8],
    ) -> Result<bool, WalletError> {
        let now = self.now();
        let mut conn = self.gateway.db.get().await?;
        let count = cards::of_customer(&mut conn, user.tenant, customer_id).await?.len();
        if count >= self.settings.cards_per_customer_max {
            return Err(WalletError::TooManyCards);
        }
        let row = NewCard {
            tenant: user.tenant,
            id,
            customer_id,
            fingerprint: fingerprint.to_vec(),
            fingerprint_key_id: self.gateway.vault.fingerprint_key_id().to_owned(),
            scheme: card.scheme,
            iin: Iin::of(&card.pan, self.cards.iin_digits).as_str().to_owned(),
            last_four: card.pan.last_four().to_owned(),
            expiry_year: i16::try_from(card.expiry.year).unwrap_or(i16::MAX),
            expiry_month: i16::from(card.expiry.month),
            pan_sealed: sealed.pan.0,
            holder_sealed: sealed.holder.0,
            validation_status: self.status_at_first().to_owned(),
        };
        if !self.gateway.screens_cards() {
            return Ok(cards::insert(&mut conn, row, now).await?);
        }
        drop(conn);
        transaction(&self.gateway.db, async |conn| {
            let inserted = cards::insert(conn, row.clone(), now).await?;
            if inserted {
                screenings::open(conn, user.tenant, id, now).await?;
            }
            Ok::<_, WalletError>(inserted)
        })
        .await
    }

    async fn renew(
        &self,
        user: &User,
        id: CardId,
        card: &CheckedCard,
        sealed: SealedCard,
    ) -> Result<bool, WalletError> {
        let renewal = Renewal {
            expiry_year: i16::try_from(card.expiry.year).unwrap_or(i16::MAX),
            expiry_month: i16::from(card.expiry.month),
            pan_sealed: sealed.pan.0,
            holder_sealed: sealed.holder.0,
            validation_status: self.status_at_first().to_owned(),
        };
        let now = self.now();
        transaction(&self.gateway.db, async |conn| {
            cards::renew(conn, user.tenant, id, renewal.clone(), now).await?;
            if self.gateway.screens_cards() {
                screenings::open(conn, user.tenant, id, now).await?;
            }
            Ok::<_, WalletError>(true)
        })
        .await
    }

    /// What is kept of a card whose number passed the checks. Its expiry follows from the date and the block list from the list as it stands:
    /// neither is kept.
    fn status_at_first(&self) -> &'static str {
        if self.gateway.screens_cards() { "pending" } else { "approved" }
    }

    async fn card(
        &self,
        book: &PriceBook,
        user: &User,
        customer_id: CustomerId,
        id: CardId,
    ) -> Result<CardView, WalletError> {
        let mut conn = self.gateway.db.get().await?;
        let card = cards::find(&mut conn, user.tenant, customer_id, id).await?.ok_or(WalletError::NotFound("card"))?;
        let ground = self.data_ground(&mut conn, user, customer_id, std::slice::from_ref(&card)).await?;
        self.view_of_card(book, user, &card, &ground)
    }

    /// Sets the billing address of a card, sealed like its number.
    pub async fn set_billing_address(
        &self,
        user: &User,
        id: CardId,
        input: BillingAddress,
    ) -> Result<CardView, WalletError> {
        let (address, country) = checked_address(input)?;
        let in_force = self.terms(user).await?;
        let customer_id = self.customer_of(user, "card").await?;
        let owner = CardOwner { tenant: user.tenant, customer_id: Some(customer_id), record: RecordId::from(id) };
        let vault = &self.gateway.vault;
        let is_set = sealed_again(vault, user.tenant, || async {
            let sealed = vault.seal_billing(&owner, &address).await?;
            let mut conn = self.gateway.db.get().await?;
            let now = self.now();
            Ok::<_, WalletError>(
                cards::set_billing(&mut conn, user.tenant, customer_id, id, sealed.0, &country, now).await?,
            )
        })
        .await?;
        if is_set { self.card(&in_force.book, user, customer_id, id).await } else { Err(WalletError::NotFound("card")) }
    }

    /// Hides a card at once; its number is destroyed when no open payout needs it.
    pub async fn delete_card(&self, user: &User, id: CardId) -> Result<(), WalletError> {
        let customer_id = self.customer_of(user, "card").await?;
        transaction(&self.gateway.db, async |conn| {
            let now = self.now();
            // Waits for acceptances that are under way with this card: they are seen below.
            if !cards::hide(conn, user.tenant, customer_id, id, now).await? {
                return Err(WalletError::NotFound("card"));
            }
            if requests::any_open_of_card(conn, user.tenant, id).await? {
                let job = NewJob {
                    tenant: user.tenant,
                    kind: JobKind::DestroyCard,
                    subject_id: jobs::card_subject(id),
                    run_at: now,
                    claimed: false,
                };
                jobs::insert(conn, &[job], now).await?;
            } else {
                cards::destroy_number(conn, user.tenant, id, now).await?;
            }
            Ok(())
        })
        .await
    }

    /// The user's customer row; a user who never did anything has none, and nothing of that kind.
    pub(super) async fn customer_of(&self, user: &User, what: &'static str) -> Result<CustomerId, WalletError> {
        let mut conn = self.gateway.db.get().await?;
        let customer = customers::find(&mut conn, user.tenant, &user.reference).await?;
        customer.map(|customer| customer.id).ok_or(WalletError::NotFound(what))
    }
}

/// A card's expiry, as its row has it.
pub(super) fn expiry_of(year: i16, month: i16) -> CardExpiry {
    CardExpiry { year: u16::try_from(year).unwrap_or(0), month: u8::try_from(month).unwrap_or(0) }
}

/// `validationStatus` of a stored card now; `blocked`: the block list has it, or something that it belongs to.
pub(super) fn validation_of(card: &Card, blocked: bool, now: chrono::DateTime<chrono::Utc>) -> CardValidation {
    let screening = match card.validation_status.as_str() {
        "approved" => Screening::Passed,
        "pending" => Screening::Open,
        _ => Screening::Refused,
    };
    match validation_status(expiry_of(card.expiry_year, card.expiry_month), blocked, screening, now) {
        ValidationStatus::Approved => CardValidation::Approved,
        ValidationStatus::Pending => CardValidation::Pending,
        ValidationStatus::Declined => CardValidation::Declined,
        ValidationStatus::Expired => CardValidation::Expired,
    }
}

/// First four, three stars, last four.
pub(super) fn masked(iin: &str, last_four: &str) -> String {
    match Iin::parse(iin) {
        Ok(iin) => masked_pan(&iin, last_four),
        Err(_) => format!("***{last_four}"),
    }
}

/// The address and its country.
fn checked_address(input: BillingAddress) -> Result<(card::BillingAddress, String), WalletError> {
    let text = |field: &'static str, value: String, most: usize| {
        let value = value.trim().to_owned();
        let length = value.chars().count();
        if length == 0 || length > most {
            return Err(WalletError::not_valid(field, format!("has 1 to {most} characters")));
        }
        if value.chars().any(char::is_control) {
            return Err(WalletError::not_valid(field, "has control characters"));
        }
        // Nobody's address has so many digits in a row: that is a card number in the wrong field.
        if digits_in_a_row(&value) >= 12 {
            return Err(WalletError::not_valid(field, "looks like a card number"));
        }
        Ok(value)
    };
    let country_code = input.country_code.trim().to_owned();
    if country_code.len() != 2 || !country_code.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(WalletError::not_valid("countryCode", "is two capital letters (ISO 3166-1 alpha-2)"));
    }
    let state = input.state.filter(|state| !state.trim().is_empty());
    let address = card::BillingAddress {
        line1: Some(text("address", input.address, 200)?),
        line2: None,
        city: Some(text("city", input.city, 100)?),
        country: Some(country_code.clone()),
        postal_code: Some(text("zip", input.zip, 16)?),
        state: state.map(|state| text("state", state, 100)).transpose()?,
    };
    Ok((address, country_code))
}

fn digits_in_a_row(text: &str) -> usize {
    let (mut most, mut run) = (0, 0);
    for c in text.chars() {
        match c {
            '0'..='9' => run += 1,
            ' ' | '-' => {}
            _ => run = 0,
        }
        most = most.max(run);
    }
    most
}
