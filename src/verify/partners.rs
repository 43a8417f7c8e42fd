//! Invariants 5 and 7 for partners' own requests: their balances hold what open requests need, and the card numbers that came in
//! with requests open where they stand and are gone when they are no longer needed.

use diesel_async::AsyncPgConnection;

use super::{CheckResult, Report, VerifyError, store};
use crate::domain::card::{CardExpiry, Iin, IinDigits};
use crate::store::request_cards::RequestCard;
use crate::vault::{CardOwner, RecordId, Sealed, SealedCard, Vault, VaultError};

pub(super) async fn check(conn: &mut AsyncPgConnection, vault: &Vault, report: &mut Report) -> Result<(), VerifyError> {
    report.add(
        "held balances of partners",
        5,
        "A partner's held balance is what its open requests hold: amounts and fees, less what was settled so far.",
        store::partners::held(conn).await?,
    );
    report.add(
        "numbers of requests' cards",
        7,
        "A card number that came in with a request is there while the request is open, and destroyed after it.",
        store::partners::request_cards(conn).await?,
    );
    let mut check = CheckResult::new(
        "sealed cards of requests",
        7,
        "The secrets of a card that came in with a request open where they stand, and what stands beside them is theirs.",
    );
    let mut last = None;
    loop {
        let page = store::partners::cards_page(conn, last).await?;
        let Some(end) = page.last() else { break };
        last = Some((end.tenant(), end.request_id));
        for card in &page {
            check.rows_checked += 1;
            if let Some(what) = wrong_with(vault, card).await? {
                check.found(format!("request_card {}/{}/{}", card.partner_id.0, card.mode, card.request_id.0), what);
            }
        }
    }
    report.checks.push(check);
    Ok(())
}

async fn wrong_with(vault: &Vault, card: &RequestCard) -> Result<Option<String>, VerifyError> {
    let Some(pan) = &card.pan_sealed else { return Ok(None) };
    let owner = CardOwner { tenant: card.tenant(), customer_id: None, record: RecordId::from(card.request_id.0) };
    let sealed = SealedCard { pan: Sealed(pan.clone()), holder: Sealed(card.holder_sealed.clone()) };
    let opened = match vault.open_card(&owner, &sealed, CardExpiry { year: 2000, month: 1 }).await {
        Ok(opened) => opened,
        Err(error @ (VaultError::Store(_) | VaultError::NoPrimary)) => return Err(error.into()),
        Err(error) => return Ok(Some(format!("its secrets don't open: {error}"))),
    };
    let digits = if card.iin.len() == 8 { IinDigits::Eight } else { IinDigits::Six };
    let its = [
        (vault.fingerprint(card.tenant(), &opened.pan).0.as_slice() == card.fingerprint, "fingerprint"),
        (Iin::of(&opened.pan, digits).as_str() == card.iin, "IIN"),
        (opened.pan.last_four() == card.last_four, "last four digits"),
        (crate::domain::card::identify(&opened.pan).ok() == Some(card.scheme), "scheme"),
    ];
    Ok(its.into_iter().find(|(same, _)| !same).map(|(_, what)| format!("its {what} is not its number's")))
}
