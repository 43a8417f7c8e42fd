//! Rows that point into another tenant or mode.

use crate::tampering::{Case, Original};

const DELIVERED: &str = "INSERT INTO webhook_delivery (partner_id, mode, endpoint_id, message_id, type, request_id, sequence, lane, state, \
     finished_at, created_at) SELECT partner_id, '{2}', 'ffffffff-0000-4000-8000-000000000000', id, 'payout_request.created', request_id, seq, \
     'ffffffff-0000-4000-8000-000000000000', 'delivered', at, at FROM event WHERE id = '{1}'";
const DELIVERED_BY_ENDPOINT: &str = "INSERT INTO webhook_endpoint (partner_id, mode, id, kind, description, secrets_sealed, created_by, created_at) \
     SELECT partner_id, '{2}', 'ffffffff-0000-4000-8000-000000000000', 'callback', '', '\\x00', 'x', at FROM event WHERE id = '{1}'; \
     INSERT INTO webhook_delivery (partner_id, mode, endpoint_id, message_id, type, request_id, sequence, lane, state, \
     finished_at, created_at) SELECT partner_id, '{2}', 'ffffffff-0000-4000-8000-000000000000', id, 'payout_request.created', request_id, seq, \
     'ffffffff-0000-4000-8000-000000000000', 'delivered', at, at FROM event WHERE id = '{1}'";

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_cross_tenants_or_modes_are_found() {
    let cases = [
        Case::picked(
            "a payout of another tenant",
            "tenants of payouts",
            "SELECT h.id::text || '/' || p.mode, p.id::text, h.id::text FROM payout p, partner h WHERE h.code = \
             'house' ORDER BY p.id LIMIT 1",
            "UPDATE payout SET partner_id = '{2}' WHERE id = '{1}'",
            "payout {0}/{1}",
        ),
        Case::picked(
            "a payout of another mode",
            "tenants of payouts",
            "SELECT partner_id::text || '/live', id::text FROM payout ORDER BY id LIMIT 1",
            "UPDATE payout SET mode = 'live' WHERE id = '{1}'",
            "payout {0}/{1}",
        ),
        Case::of(
            "a provider account of another mode",
            "tenants of payouts",
            "payout (id, provider_account_id)",
            "true",
            "UPDATE provider_account SET mode = 'live' WHERE id = '{2}'",
        )
        .names("payout {0}/{1}"),
        Case::of(
            "a deposit account of another partner",
            "tenants of payouts",
            "payout (id, deposit_account_id)",
            "true",
            "INSERT INTO partner VALUES ('00000000-0000-4000-8000-000000000000', 'evil', 'Evil', now()); UPDATE \
             deposit_account SET partner_id = '00000000-0000-4000-8000-000000000000' WHERE id = '{2}'",
        )
        .names("payout {0}/{1}"),
        Case::of(
            "a payout's route",
            "tenants of payouts",
            "payout (id)",
            "true",
            "UPDATE payout SET route_id = gen_random_uuid() WHERE id = '{1}'",
        ),
        Case::picked(
            "a row of no partner",
            "partners exist",
            "SELECT mode, id::text FROM customer ORDER BY id LIMIT 1",
            "UPDATE customer SET partner_id = '00000000-0000-4000-8000-000000000000' WHERE id = '{1}'",
            "customer 00000000-0000-4000-8000-000000000000/{0}/{1}",
        ),
        Case::picked(
            "a card of another tenant's customer",
            "tenants of cards",
            "SELECT partner_id::text || '/live', id::text FROM card ORDER BY id LIMIT 1",
            "UPDATE card SET mode = 'live' WHERE id = {1}",
            "card {0}/{1}",
        ),
        Case::picked(
            "an offer to another customer's card",
            "tenants of offers",
            "SELECT o.partner_id::text || '/' || o.mode, o.id::text, c.id::text FROM offer o JOIN card c ON \
             c.customer_id <> o.customer_id ORDER BY 2, 3 LIMIT 1",
            "UPDATE offer SET card_id = {2} WHERE id = {1}",
            "offer {0}/{1}",
        ),
        Case::picked(
            "a request of another customer",
            "offers and requests",
            "SELECT o.partner_id::text || '/' || o.mode, o.id::text, r.id::text, u.id::text FROM offer o JOIN \
             payout_request r ON r.id = o.request_id JOIN customer u ON u.id <> r.customer_id ORDER BY 2 LIMIT 1",
            "UPDATE payout_request SET customer_id = '{3}' WHERE id = '{2}'",
            "offer {0}/{1}",
        ),
        Case::picked(
            "a request to another customer's card",
            "tenants of requests",
            "SELECT r.partner_id::text || '/' || r.mode, r.id::text, c.id::text FROM payout_request r JOIN card c \
             ON c.customer_id <> r.customer_id ORDER BY 2, 3 LIMIT 1",
            "UPDATE payout_request SET card_id = {2} WHERE id = '{1}'",
            "payout_request {0}/{1}",
        ),
        Case::of(
            "a request's payout point",
            "tenants of requests",
            "payout_request (id)",
            "true",
            "UPDATE payout_request SET point_id = gen_random_uuid() WHERE id = '{1}'",
        ),
        Case::picked(
            "an entry of another customer",
            "tenants of entries",
            "SELECT e.partner_id::text || '/' || e.mode, e.id::text, u.id::text FROM entry e JOIN customer u ON \
             u.id <> e.customer_id ORDER BY 2, 3 LIMIT 1",
            "UPDATE entry SET customer_id = '{2}' WHERE id = '{1}'",
            "entry {0}/{1}",
        ),
        Case::of(
            "an account of no customer",
            "tenants of accounts",
            "account (id)",
            "kind = 'user_held'",
            "UPDATE account SET owner_id = gen_random_uuid() WHERE id = '{1}'",
        ),
        Case::of(
            "a deposit's account in another currency",
            "tenants of accounts",
            "account (id)",
            "kind = 'provider_funding'",
            "UPDATE account SET asset = 'CHF' WHERE id = '{1}'",
        ),
        Case::picked(
            "an event about another request's payout",
            "subjects of events",
            "SELECT e.partner_id::text || '/' || e.mode, e.request_id::text, e.seq::text, p.id::text FROM event e \
             JOIN payout p ON p.request_id <> e.request_id WHERE e.payout_id IS NOT NULL ORDER BY 2, 3 LIMIT 1",
            "UPDATE event SET payout_id = '{3}' WHERE request_id = '{1}' AND seq = {2}",
            "event {0}/{1}/{2}",
        ),
        Case::picked(
            "a case about another request's payout",
            "subjects of cases",
            "SELECT c.partner_id::text || '/' || c.mode, c.id::text, p.id::text FROM staff_case c JOIN payout p \
             ON p.request_id <> c.request_id ORDER BY 2, 3 LIMIT 1",
            "UPDATE staff_case SET payout_id = '{2}' WHERE id = '{1}'",
            "staff_case {0}/{1}",
        ),
        Case::of(
            "a route into nowhere",
            "tenants of routes",
            "payout_route (id)",
            "true",
            "UPDATE payout_route SET deposit_account_id = gen_random_uuid() WHERE id = '{1}'",
        ),
        Case::picked(
            "a deposit account of another mode",
            "tenants of routes",
            "SELECT partner_id::text || '/live', id::text FROM deposit_account ORDER BY id LIMIT 1",
            "UPDATE deposit_account SET mode = 'live' WHERE id = '{1}'",
            "deposit_account {0}/{1}",
        ),
        Case::picked(
            "a callback of another mode",
            "modes of callbacks",
            "SELECT partner_id::text || '/live', id::text FROM provider_account ORDER BY id LIMIT 1",
            "INSERT INTO provider_callback SELECT partner_id, 'live', 'ffffffff-0000-4000-8000-000000000000', id, \
             sha256('x'), false, '[]', '', now(), NULL FROM provider_account WHERE id = '{1}'",
            "provider_callback {0}/ffffffff-0000-4000-8000-000000000000",
        ),
        Case::picked(
            "a webhook to nobody's endpoint",
            "tenants of webhooks",
            "SELECT partner_id::text || '/' || mode, id::text, mode FROM event ORDER BY id LIMIT 1",
            DELIVERED,
            "webhook_delivery {0}/{1}/ffffffff-0000-4000-8000-000000000000",
        ),
        Case::picked(
            "a webhook about another mode's event",
            "tenants of webhooks",
            "SELECT partner_id::text || '/live', id::text, 'live' FROM event ORDER BY id LIMIT 1",
            DELIVERED_BY_ENDPOINT,
            "webhook_delivery {0}/{1}/ffffffff-0000-4000-8000-000000000000",
        ),
    ];
    Original::new().await.each_is_found(&cases).await;
}
