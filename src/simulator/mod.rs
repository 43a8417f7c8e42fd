//! A payout provider to test against: a bank with a ledger of its own, the API that it publishes, and faults on demand. It pays
//! nobody and knows nothing of the gateway, so that two independent books can be compared.
//!
//! The core is pure: no input or output, no clock, no tasks. Whoever drives it hands in `now` and does the waiting:
//!
//! | module | owns |
//! |---|---|
//! | [`bank`] | [`Bank`](bank::Bank): accounts, the ledger of payments, what is due. `new`, `pay`, `find`, `balance`, `report`, `due_callbacks`, `totals`, `injected` |
//! | [`payment`] | one payment: what was asked, and everything that becomes of it, with its time |
//! | [`faults`] | the kinds of fault, their rates and scripts, and which call meets which |
//! | [`callback`] | the signed notices that follow a payment |
//! | [`api`] | [`handle`](api::handle): one call of the published API in, one [`Reply`](api::Reply) out. A server and a driver in process use the same |
//! | [`line`] | what the `http` adapter writes and sees, as a call and a reply: for a transport in process |
//!
//! As a process (`landfall simulator`) it has a wire and a memory:
//!
//! | module | owns |
//! |---|---|
//! | [`settings`] | what a settings file says |
//! | [`journal`] | the file that every payment is appended to before it is answered |
//! | [`house`] | bank and journal together, under one lock |
//! | [`server`] | TCP: answers, and connections that break as the reply says |
//! | [`courier`] | posting callbacks |
//! | [`admin`] | what whoever tests asks of it: the ledger, the faults, a report as CSV |
//!
//! A driver in process: `handle(&mut bank, &request, now)`, then let `Reply` decide what its caller sees (an answer after a while,
//! a broken connection, nothing); deliver `bank.due_callbacks(now)` whenever time has moved; stop when `bank.quiet_at()` is past;
//! compare its own books with `bank.totals(now)` and `bank.report(..)`.

pub mod admin;
pub mod api;
pub mod bank;
pub mod callback;
pub mod courier;
pub mod faults;
pub mod house;
pub mod journal;
pub mod line;
pub mod payment;
pub mod server;
pub mod settings;
