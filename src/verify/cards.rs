//! Invariant 7, inside the vault: every ciphertext opens where it stands and nowhere else, and what stands beside it in the clear
//! belongs to it. Plaintexts live for one comparison, are wiped, and never become part of a finding.

use diesel_async::AsyncPgConnection;
use zeroize::Zeroizing;

use super::{CheckResult, Report, VerifyError, store};
use crate::domain::card::{BillingAddress, CardScheme, HolderName, Iin, IinDigits, Pan};
use crate::store::verify::cards::CardRow;
use crate::vault::keys::KeyError;
use crate::vault::{
    BILLING_COLUMN, Context, EnvelopeError, HOLDER_COLUMN, PAN_COLUMN, RecordId, Sealed, Vault, VaultError,
};

pub(super) async fn check(conn: &mut AsyncPgConnection, vault: &Vault, report: &mut Report) -> Result<(), VerifyError> {
    let mut check = CheckResult::new(
        "sealed cards",
        7,
        "A card's secrets open where they stand, and its fingerprint, scheme, IIN, last four and country are theirs.",
    );
    let mut last = None;
    loop {
        let page = store::cards::page(conn, last).await?;
        let Some(end) = page.last() else { break };
        last = Some((end.tenant(), end.id));
        for card in &page {
            check.rows_checked += 1;
            for what in wrong_with(vault, card).await? {
                check.found(format!("card {}/{}/{}", card.partner_id.0, card.mode, card.id), what);
            }
        }
    }
    report.checks.push(check);
    report.add(
        "numbers of cards",
        7,
        "A deleted card's number is destroyed with its holder's name and address, or a job is there that does it, and not while a request needs it.",
        store::cards::numbers_are_kept(conn).await?,
    );
    Ok(())
}

async fn wrong_with(vault: &Vault, card: &CardRow) -> Result<Vec<String>, VerifyError> {
    let mut wrong = Vec::new();
    if let Some(sealed) = &card.pan_sealed {
        match open(vault, card, PAN_COLUMN, sealed).await? {
            Ok(plain) => wrong.extend(wrong_with_pan(vault, card, &plain).into_iter().map(str::to_owned)),
            Err(why) => wrong.push(format!("pan_sealed doesn't open: {why}")),
        }
    }
    match open(vault, card, HOLDER_COLUMN, &card.holder_sealed).await? {
        // Destroyed with its number.
        Err(_) if card.holder_sealed.is_empty() && card.pan_sealed.is_none() => {}
        Ok(plain) if !is_holder(&plain) => wrong.push("holder_sealed holds no name".to_owned()),
        Ok(_) => {}
        Err(why) => wrong.push(format!("holder_sealed doesn't open: {why}")),
    }
    match &card.billing_sealed {
        Some(sealed) => match open(vault, card, BILLING_COLUMN, sealed).await? {
            Ok(plain) if country(&plain).as_deref() != card.billing_country.as_deref() => {
                wrong.push("billing_country is not that of billing_sealed".to_owned());
            }
            Ok(_) => {}
            Err(why) => wrong.push(format!("billing_sealed doesn't open: {why}")),
        },
        None if card.billing_country.is_some() => wrong.push("billing_country stands without an address".to_owned()),
        None => {}
    }
    Ok(wrong)
}

fn wrong_with_pan(vault: &Vault, card: &CardRow, plain: &[u8]) -> Vec<&'static str> {
    let Some(pan) = std::str::from_utf8(plain).ok().and_then(|digits| Pan::parse(digits).ok()) else {
        return vec!["pan_sealed holds no card number"];
    };
    let digits = if card.iin.len() == 8 { IinDigits::Eight } else { IinDigits::Six };
    let scheme: Option<CardScheme> = crate::domain::card::identify(&pan).ok();
    let mut wrong = Vec::new();
    if card.fingerprint_key_id != vault.fingerprint_key_id() {
        wrong.push("its fingerprint was made with another key than the vault's");
    } else if card.fingerprint != vault.fingerprint(card.tenant(), &pan).0 {
        wrong.push("its fingerprint is not its number's");
    }
    if scheme.map(CardScheme::as_str) != Some(card.scheme.as_str()) {
        wrong.push("its scheme is not its number's");
    }
    if Iin::of(&pan, digits).as_str() != card.iin {
        wrong.push("its IIN is not its number's");
    }
    if pan.last_four() != card.last_four {
        wrong.push("its last four digits are not its number's");
    }
    wrong
}

fn is_holder(plain: &[u8]) -> bool {
    std::str::from_utf8(plain).is_ok_and(|name| HolderName::parse(name).is_ok())
}

/// The country of a billing address.
fn country(plain: &[u8]) -> Option<String> {
    BillingAddress::from_plaintext(plain)?.country.clone()
}

/// The plaintext, or why there is none, as far as the row is to blame for it.
async fn open(
    vault: &Vault,
    card: &CardRow,
    column: &'static str,
    sealed: &[u8],
) -> Result<Result<Zeroizing<Vec<u8>>, String>, VerifyError> {
    let context =
        Context { tenant: card.tenant(), customer_id: Some(card.customer_id), record: RecordId::from(card.id), column };
    match vault.open(&context, &Sealed(sealed.to_vec())).await {
        Ok(plain) => Ok(Ok(plain)),
        Err(error) if blames_the_row(&error) => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

fn blames_the_row(error: &VaultError) -> bool {
    match error {
        VaultError::Envelope(EnvelopeError::Random(_)) => false,
        VaultError::Envelope(_)
        | VaultError::UnknownDek(_)
        | VaultError::ForeignDek(_)
        | VaultError::WrongKey(_)
        | VaultError::RetiredDek(_)
        | VaultError::NotACard
        | VaultError::NotAnAddress => true,
        VaultError::Keys(error) => {
            matches!(error, KeyError::UnknownKek(_) | KeyError::WrongKek(_) | KeyError::Refused | KeyError::Malformed)
        }
        VaultError::NoPrimary | VaultError::DevelopmentKeys | VaultError::Store(_) => false,
    }
}
