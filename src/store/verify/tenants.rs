//! Tenants: along every reference from row to row, partner and mode stay the same. The house's provider accounts, deposit
//! accounts and routes serve every partner of their mode; of them only the mode is compared, and that they are the house's.

use super::{broken_rows, row_key};

broken_rows! {
    /// Payouts whose request, route, deposit account or provider account is another tenant's, or doesn't fit the others.
    payouts, of "payout",
    concat!("SELECT ", row_key!("payout", "p", "id"), ", concat_ws('; ', \
         CASE WHEN r.id IS NULL THEN 'its request isn''t there in its tenant' END, \
         CASE WHEN r.currency <> p.currency THEN 'pays ' || p.currency || ' for a request in ' || r.currency END, \
         CASE WHEN d.id IS NULL THEN 'its deposit account isn''t there' \
             WHEN d.mode <> p.mode OR d.partner_id <> p.partner_id AND d.partner_id IS DISTINCT FROM h.id \
             THEN 'its deposit account is another tenant''s' END, \
         CASE WHEN d.currency <> p.deposit_currency \
             THEN 'debits ' || p.deposit_currency || ' from a deposit account in ' || d.currency END, \
         CASE WHEN a.id IS NULL THEN 'its provider account isn''t there' \
             WHEN a.mode <> p.mode OR a.partner_id <> p.partner_id AND a.partner_id IS DISTINCT FROM h.id \
             THEN 'its provider account is another tenant''s' END, \
         CASE WHEN a.provider <> p.provider THEN 'its provider account is at ' || a.provider || ', not at ' || p.provider END, \
         CASE WHEN d.provider_account_id <> p.provider_account_id THEN 'its deposit account is at another provider account' END, \
         CASE WHEN t.id IS NULL THEN 'its route isn''t there' \
             WHEN t.mode <> p.mode OR t.deposit_account_id <> p.deposit_account_id THEN 'its route leads elsewhere' END) \
     FROM payout p \
     LEFT JOIN partner h ON h.code = 'house' \
     LEFT JOIN payout_request r ON (r.partner_id, r.mode, r.id) = (p.partner_id, p.mode, p.request_id) \
     LEFT JOIN deposit_account d ON d.id = p.deposit_account_id \
     LEFT JOIN provider_account a ON a.id = p.provider_account_id \
     LEFT JOIN payout_route t ON (t.partner_id, t.mode, t.id) = (d.partner_id, d.mode, p.route_id)")
}

broken_rows! {
    /// Requests whose payout point, customer or card is not of their tenant.
    requests, of "payout_request",
    concat!("SELECT ", row_key!("payout_request", "r", "id"), ", concat_ws('; ', \
         CASE WHEN t.id IS NULL THEN 'its payout point isn''t there in its tenant' END, \
         CASE WHEN r.point_currency <> ALL (t.currencies) THEN 'its payout point doesn''t have ' || r.point_currency END, \
         CASE WHEN r.customer_id IS NOT NULL AND u.id IS NULL THEN 'its customer isn''t there in its tenant' END, \
         CASE WHEN r.card_id IS NOT NULL AND c.id IS NULL THEN 'its card isn''t there in its tenant' \
             WHEN c.customer_id <> r.customer_id THEN 'its card is another customer''s' END) \
     FROM payout_request r \
     LEFT JOIN payout_point t ON (t.partner_id, t.mode, t.id) = (r.partner_id, r.mode, r.point_id) \
     LEFT JOIN customer u ON (u.partner_id, u.mode, u.id) = (r.partner_id, r.mode, r.customer_id) \
     LEFT JOIN card c ON (c.partner_id, c.mode, c.id) = (r.partner_id, r.mode, r.card_id)")
}

broken_rows! {
    /// Offers whose customer or card is not of their tenant, or whose card is another customer's.
    offers, of "offer",
    concat!("SELECT ", row_key!("offer", "o", "id"), ", concat_ws('; ', \
         CASE WHEN u.id IS NULL THEN 'its customer isn''t there in its tenant' END, \
         CASE WHEN c.id IS NULL THEN 'its card isn''t there in its tenant' \
             WHEN c.customer_id <> o.customer_id THEN 'its card is another customer''s' END) \
     FROM offer o \
     LEFT JOIN customer u ON (u.partner_id, u.mode, u.id) = (o.partner_id, o.mode, o.customer_id) \
     LEFT JOIN card c ON (c.partner_id, c.mode, c.id) = (o.partner_id, o.mode, o.card_id)")
}

broken_rows! {
    /// Cards whose customer is not of their tenant.
    cards, of "card",
    concat!("SELECT ", row_key!("card", "c", "id"), ", 'its customer isn''t there in its tenant' FROM card c \
     LEFT JOIN customer u ON (u.partner_id, u.mode, u.id) = (c.partner_id, c.mode, c.customer_id) WHERE u.id IS NULL")
}

broken_rows! {
    /// Accounts whose owner is not of their tenant, or not of their kind.
    accounts, of "account",
    concat!("SELECT ", row_key!("account", "a", "id"), ", concat_ws('; ', \
         CASE WHEN a.owner_kind <> CASE WHEN a.kind IN ('user_available', 'user_held') THEN 'customer' \
                 WHEN a.kind IN ('partner_available', 'partner_held', 'partner_payable') THEN 'partner' \
                 WHEN a.kind = 'provider_funding' THEN 'deposit_account' ELSE 'house' END \
             THEN 'is ' || a.kind || ' of a ' || a.owner_kind END, \
         CASE WHEN a.owner_kind = 'customer' AND u.id IS NULL THEN 'its customer isn''t there in its tenant' END, \
         CASE WHEN a.owner_kind = 'deposit_account' AND d.id IS NULL THEN 'its deposit account isn''t there' \
             WHEN d.mode <> a.mode OR d.partner_id <> a.partner_id AND d.partner_id IS DISTINCT FROM h.id \
                 THEN 'its deposit account is another tenant''s' \
             WHEN d.currency <> a.asset THEN 'is in ' || a.asset || ' for a deposit account in ' || d.currency END) \
     FROM account a \
     LEFT JOIN partner h ON h.code = 'house' \
     LEFT JOIN customer u ON a.owner_kind = 'customer' AND (u.partner_id, u.mode, u.id) = (a.partner_id, a.mode, a.owner_id) \
     LEFT JOIN deposit_account d ON a.owner_kind = 'deposit_account' AND d.id = a.owner_id")
}

broken_rows! {
    /// Entries that move a balance of another customer than theirs, or whose customer is not of their tenant.
    entries, of "entry",
    concat!("SELECT ", row_key!("entry", "e", "id"), ", CASE WHEN e.customer_id IS NOT NULL AND u.id IS NULL \
             THEN 'its customer isn''t there in its tenant' \
             WHEN p.others > 0 THEN 'moves a balance of another customer' END \
     FROM entry e \
     LEFT JOIN customer u ON (u.partner_id, u.mode, u.id) = (e.partner_id, e.mode, e.customer_id) \
     LEFT JOIN (SELECT g.partner_id, g.mode, g.entry_id, count(*) AS others FROM posting g \
             JOIN account a ON (a.partner_id, a.mode, a.id) = (g.partner_id, g.mode, g.account_id) AND a.owner_kind = 'customer' \
             JOIN entry f ON (f.partner_id, f.mode, f.id) = (g.partner_id, g.mode, g.entry_id) \
             WHERE a.owner_id IS DISTINCT FROM f.customer_id GROUP BY 1, 2, 3) p \
         ON (p.partner_id, p.mode, p.entry_id) = (e.partner_id, e.mode, e.id)")
}

broken_rows! {
    /// Events about a payout that is not of their request.
    events, of "event",
    concat!("SELECT ", row_key!("event", "e", "request_id", "seq"), ", 'is about payout ' || e.payout_id || ', which isn''t of its request' \
     FROM event e LEFT JOIN payout p ON (p.partner_id, p.mode, p.id, p.request_id) = (e.partner_id, e.mode, e.payout_id, e.request_id) \
     WHERE e.payout_id IS NOT NULL AND p.id IS NULL")
}

broken_rows! {
    /// Cases about a request or a payout that is not of their tenant, or about a payout of another request.
    cases, of "staff_case",
    concat!("SELECT ", row_key!("staff_case", "c", "id"), ", concat_ws('; ', \
         CASE WHEN c.request_id IS NOT NULL AND r.id IS NULL THEN 'its request isn''t there in its tenant' END, \
         CASE WHEN c.payout_id IS NOT NULL AND p.id IS NULL THEN 'its payout isn''t of its request' END, \
         CASE WHEN c.provider_account_id IS NOT NULL AND a.id IS NULL THEN 'its provider account isn''t there in its mode' END, \
         CASE WHEN c.request_id IS NULL AND a.partner_id <> c.partner_id THEN 'its provider account is another tenant''s' END) \
     FROM staff_case c \
     LEFT JOIN provider_account a ON a.id = c.provider_account_id AND a.mode = c.mode \
     LEFT JOIN payout_request r ON (r.partner_id, r.mode, r.id) = (c.partner_id, c.mode, c.request_id) \
     LEFT JOIN payout p ON (p.partner_id, p.mode, p.id, p.request_id) = (c.partner_id, c.mode, c.payout_id, c.request_id)")
}

broken_rows! {
    /// Deposit accounts and routes that lead into another tenant.
    routes, of "payout_route",
    "SELECT x.named, x.what FROM ( \
         SELECT 'payout_route ' || t.partner_id::text || '/' || t.mode || '/' || t.id::text AS named, \
             CASE WHEN d.id IS NULL THEN 'its deposit account isn''t there in its tenant' END AS what \
         FROM payout_route t LEFT JOIN deposit_account d ON (d.partner_id, d.mode, d.id) = (t.partner_id, t.mode, t.deposit_account_id) \
         UNION ALL \
         SELECT 'deposit_account ' || d.partner_id::text || '/' || d.mode || '/' || d.id::text, \
             CASE WHEN a.id IS NULL THEN 'its provider account isn''t there in its tenant' END \
         FROM deposit_account d \
         LEFT JOIN provider_account a ON (a.partner_id, a.mode, a.id) = (d.partner_id, d.mode, d.provider_account_id)) x"
}

broken_rows! {
    /// Callbacks of a provider account that is another tenant's.
    callbacks, of "provider_callback",
    concat!("SELECT ", row_key!("provider_callback", "c", "id"), ", 'its provider account isn''t there in its mode' FROM provider_callback c \
     LEFT JOIN provider_account a ON a.id = c.provider_account_id AND a.mode = c.mode WHERE a.id IS NULL")
}

broken_rows! {
    /// Webhooks whose endpoint or event is not of their tenant, or that stand in another endpoint's lane.
    webhooks, of "webhook_delivery",
    concat!("SELECT ", row_key!("webhook_delivery", "d", "message_id", "endpoint_id"), ", concat_ws('; ', \
         CASE WHEN w.id IS NULL THEN 'its endpoint isn''t there in its tenant' END, \
         CASE WHEN left(d.lane, 36) <> d.endpoint_id::text THEN 'it waits in another endpoint''s lane' END, \
         CASE WHEN d.request_id IS NOT NULL AND e.seq IS NULL THEN 'its event isn''t there in its tenant' END) \
     FROM webhook_delivery d \
     LEFT JOIN webhook_endpoint w ON (w.partner_id, w.mode, w.id) = (d.partner_id, d.mode, d.endpoint_id) \
     LEFT JOIN event e ON (e.partner_id, e.mode, e.request_id, e.seq, e.id) = (d.partner_id, d.mode, d.request_id, d.sequence, d.message_id)")
}
