//! What partners do with payout requests: a file a verb. No HTTP here, and no provider: what is written down is sent by dispatch.

pub mod release;
pub mod terms;
