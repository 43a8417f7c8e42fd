//! The event log.

use crate::tampering::{Case, Original};

#[tokio::test(flavor = "multi_thread")]
async fn tampering_with_the_event_log_is_found() {
    let cases = [
        Case::of(
            "an event's data",
            "event chains",
            "event (request_id, seq)",
            "seq = 2",
            r#"UPDATE event SET data = data || '{"amount": "1.00"}' WHERE request_id = '{1}' AND seq = {2}"#,
        ),
        Case::of(
            "an event's actor",
            "event chains",
            "event (request_id, seq)",
            "seq = 2",
            "UPDATE event SET actor = 'somebody' WHERE request_id = '{1}' AND seq = {2}",
        ),
        Case::of(
            "an event's kind",
            "event chains",
            "event (request_id, seq)",
            "seq = 2",
            "UPDATE event SET kind = 'payout_failed' WHERE request_id = '{1}' AND seq = {2}",
        ),
        Case::of(
            "an event's time",
            "event chains",
            "event (request_id, seq)",
            "seq = 2",
            "UPDATE event SET at = at + interval '1 microsecond' WHERE request_id = '{1}' AND seq = {2}",
        ),
        Case::of(
            "an event's id",
            "event chains",
            "event (request_id, seq)",
            "seq = 2",
            "UPDATE event SET id = gen_random_uuid() WHERE request_id = '{1}' AND seq = {2}",
        ),
        Case::of(
            "an event's MAC",
            "event chains",
            "event (request_id, seq)",
            "seq = 2",
            "UPDATE event SET mac = set_byte(mac, 0, get_byte(mac, 0) # 1) WHERE request_id = '{1}' AND seq = {2}",
        ),
        Case::of(
            "two events swapped",
            "event chains",
            "event (request_id, seq)",
            "seq = 3",
            "UPDATE event SET seq = 99 WHERE request_id = '{1}' AND seq = 2; UPDATE event SET seq = 2 WHERE \
             request_id = '{1}' AND seq = 3; UPDATE event SET seq = 3 WHERE request_id = '{1}' AND seq = 99",
        )
        .names("event {0}/{1}/2"),
        Case::of(
            "an event in the middle is gone",
            "event chains",
            "event (request_id, seq)",
            "seq = 3",
            "DELETE FROM event WHERE request_id = '{1}' AND seq = 2",
        )
        .names("event {0}/{1}/3"),
        Case::of(
            "the first event is gone",
            "event chains",
            "event (request_id, seq)",
            "seq = 3",
            "DELETE FROM event WHERE request_id = '{1}' AND seq = 1",
        )
        .names("event {0}/{1}/2"),
        Case::picked(
            "the last event is gone",
            "event chains",
            "SELECT partner_id::text || '/' || mode, id::text, event_seq::text FROM payout_request WHERE status = \
             'processed' ORDER BY id LIMIT 1",
            "DELETE FROM event WHERE request_id = '{1}' AND seq = {2}",
            "payout_request {0}/{1}",
        ),
        Case::picked(
            "the last event is gone, and the head with it",
            "event chains",
            "SELECT partner_id::text || '/' || mode, id::text, event_seq::text FROM payout_request WHERE status = \
             'processed' ORDER BY id LIMIT 1",
            "DELETE FROM event WHERE request_id = '{1}' AND seq = {2}; UPDATE payout_request r SET event_seq = \
             e.seq, event_mac = e.mac FROM event e WHERE r.id = '{1}' AND e.request_id = r.id AND e.seq = {2} - 1",
            "payout_request {0}/{1}",
        ),
        Case::picked(
            "a request's head",
            "event chains",
            "SELECT partner_id::text || '/' || mode, id::text, event_seq::text FROM payout_request WHERE status = \
             'processed' ORDER BY id LIMIT 1",
            "UPDATE payout_request SET event_mac = sha256('x') WHERE id = '{1}'",
            "payout_request {0}/{1}",
        ),
        Case::picked(
            "all events are gone",
            "requests have events",
            "SELECT partner_id::text || '/' || mode, id::text, event_seq::text FROM payout_request WHERE status = \
             'processed' ORDER BY id LIMIT 1",
            "DELETE FROM event WHERE request_id = '{1}'",
            "payout_request {0}/{1}",
        ),
        Case::picked(
            "an event too many",
            "event chains",
            "SELECT partner_id::text || '/' || mode, id::text, (event_seq + 1)::text FROM payout_request WHERE \
             status = 'processed' ORDER BY id LIMIT 1",
            "INSERT INTO event SELECT partner_id, mode, request_id, seq + 1, gen_random_uuid(), payout_id, kind, \
             actor, data, mac, at FROM event WHERE request_id = '{1}' AND seq = {2} - 1; UPDATE payout_request \
             SET event_seq = {2} WHERE id = '{1}'",
            "event {0}/{1}/{2}",
        ),
        Case::picked(
            "a request is gone",
            "event chains",
            "SELECT partner_id::text || '/' || mode, id::text, event_seq::text FROM payout_request WHERE status = \
             'processed' ORDER BY id LIMIT 1",
            "DELETE FROM payout_request WHERE id = '{1}'",
            "event {0}/{1}/{2}",
        ),
        Case::picked(
            "a chain moved to another request",
            "event chains",
            "SELECT a.partner_id::text || '/' || a.mode, a.id::text, b.id::text FROM payout_request a, \
             payout_request b WHERE a.id < b.id ORDER BY 2, 3 LIMIT 1",
            "DELETE FROM event WHERE request_id = '{2}'; UPDATE event SET request_id = '{2}' WHERE request_id = '{1}'",
            "event {0}/{2}/1",
        ),
    ];
    Original::new().await.each_is_found(&cases).await;
}
