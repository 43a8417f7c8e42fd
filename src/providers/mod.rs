//! Payout provider adapters behind one trait. An adapter turns a payout into the provider's request and the
//! provider's answer into an [`Outcome`](provider::Outcome); it decides nothing else and stores nothing.

pub mod adyen;
pub mod checkout;
pub mod echo;
pub mod http;
pub mod latin;
pub mod minor_units;
pub mod postal;
pub mod provider;
pub mod registry;
pub mod remote;
pub mod signature;
pub mod tabapay;
pub mod test;
pub mod told;
pub mod transport;
pub mod worldpay;
