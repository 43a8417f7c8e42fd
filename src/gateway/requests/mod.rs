//! What partners do with payout requests: a file a verb. No HTTP here, and no provider: what is written down is sent by dispatch.

mod amounts;
mod cancel;
mod create;
mod details;
mod expire;
mod ground;
mod judge;
mod new_request;
mod patch;
mod process;
mod read;
pub mod release;
pub mod terms;
mod words;

pub(in crate::gateway) use create::BatchDraft;
pub use create::Submitted;
pub use new_request::{NewCustomer, NewRequest, RequestOptions};
pub use patch::Patch;
pub use read::{CardMask, Event, EventFilter, Payout, PayoutFilter, PayoutRequest, RequestFilter, RequestView};
pub use words::{METADATA_CHARS_MAX, METADATA_KEY_CHARS_MAX, METADATA_KEYS_MAX};
