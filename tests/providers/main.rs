//! One contract for every provider adapter: the behaviours that the gateway relies on, run against whatever adapter
//! joins.
//!
//! An adapter joins by a [`Subject`](contract::Subject), which arranges its provider's situations, and one line here.

#![allow(clippy::unwrap_used, reason = "tests")]

mod checkout;
mod contract;
mod line;
mod sandbox;
mod stage;
mod tcp;

contract!(test, sandbox::SandboxSubject::new());
contract!(http_in_process, line::LineSubject::new());
contract!(http, tcp::TcpSubject::new());
contract!(checkout_com, checkout::CheckoutSubject::new());
