//! Each kind of tampering, the check that finds it and the row that it names.

mod anchors;
mod audit;
mod card_numbers;
mod cards;
mod deposits;
mod events;
mod ledger;
mod offers;
mod partners;
mod payouts;
mod reconciliation;
mod tenants;
mod terms;
