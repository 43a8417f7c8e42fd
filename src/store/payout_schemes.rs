//! Payout schemes (routing schemes) and their versions.

use super::scheme_table::scheme_table;

scheme_table!(PayoutSchemeId, "payout_scheme", "payout_scheme_version");
