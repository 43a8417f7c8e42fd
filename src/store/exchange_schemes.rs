//! Exchange-rate schemes and their versions.

use super::scheme_table::scheme_table;

scheme_table!(ExchangeSchemeId, "exchange_scheme", "exchange_scheme_version");
