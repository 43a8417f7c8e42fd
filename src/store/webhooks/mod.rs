//! Webhooks as they are stored: endpoints, messages, deliveries and their attempts. Deliveries of events are written with the events
//! (`store/events.rs`); nothing here can open a secret.

pub mod claims;
pub mod deliveries;
pub mod endpoints;
pub mod messages;
