//! Rolling sums: held against what accepted offers reserved and gave back.

use super::broken_rows;

/// What each accepted offer reserved, by subject, and what of it was given back: the unpaid share, rounded down to the
/// reservation's decimals, in the transaction that released the rest of its hold.
macro_rules! reservations {
    () => {
        "reserved AS ( \
             SELECT o.partner_id, o.mode, s.kind, s.id, s.stripe, floor(extract(epoch FROM o.accepted_at) / 3600)::bigint AS hour, \
                 floor(extract(epoch FROM o.accepted_at) / 86400)::bigint AS day, s.amount - CASE WHEN released.id IS NULL THEN 0 ELSE \
                     div(s.amount * (o.amount_to - o.amount_to_processed) * 10::numeric ^ scale(s.amount), NULLIF(o.amount_to, 0)) \
                     / 10::numeric ^ scale(s.amount) END AS amount \
             FROM offer o \
             CROSS JOIN LATERAL jsonb_array_elements(o.limit_reservations) AS j (reservation) \
             CROSS JOIN LATERAL (SELECT k.kind, CASE k.kind WHEN 'customer' THEN replace(k.subject, '-', '') \
                     WHEN 'card' THEN k.subject ELSE '' END AS id, CASE k.kind WHEN 'partner' THEN k.subject::smallint ELSE 0 END AS stripe, \
                     (j.reservation ->> 'amount')::numeric AS amount \
                 FROM jsonb_each_text(j.reservation -> 'subject') AS k (kind, subject)) s \
             LEFT JOIN entry released ON (released.partner_id, released.mode, released.kind, released.reference) \
                 = (o.partner_id, o.mode, 'release', replace(o.request_id::text, '-', '')) \
             WHERE o.accepted_at IS NOT NULL)"
    };
}

broken_rows! {
    /// Buckets of rolling sums that differ from what offers reserved, as far as the window keeps them.
    usage, of "limit_usage",
    concat!("WITH ", reservations!(), ", \
         expected AS ( \
             SELECT partner_id, mode, kind, id, stripe, 'hours' AS unit, hour AS bucket, sum(amount) AS amount \
                 FROM reserved GROUP BY 1, 2, 3, 4, 5, 7 \
             UNION ALL SELECT partner_id, mode, kind, id, stripe, 'days', day, sum(amount) FROM reserved GROUP BY 1, 2, 3, 4, 5, 7), \
         stored AS ( \
             SELECT u.partner_id, u.mode, u.subject_kind AS kind, u.subject_id AS id, u.stripe, t.unit, b.bucket::bigint AS bucket, \
                 b.amount::numeric AS amount \
             FROM limit_usage u CROSS JOIN (VALUES ('hours'), ('days')) t (unit) \
             CROSS JOIN LATERAL jsonb_each_text(u.usage -> t.unit) AS b (bucket, amount)), \
         compared AS ( \
             SELECT partner_id, mode, kind, id, stripe, unit, bucket, COALESCE(s.amount, 0) AS counted, COALESCE(e.amount, 0) AS reserved \
             FROM expected e FULL JOIN stored s USING (partner_id, mode, kind, id, stripe, unit, bucket)) \
         SELECT 'limit_usage ' || b.partner_id::text || '/' || b.mode || '/' || b.kind || '/' || b.id || '/' || b.stripe, \
             'counts ' || b.counted || ' in ' || b.unit || ' ' || b.bucket || ', its offers reserved ' || b.reserved \
         FROM compared b LEFT JOIN limit_usage u ON (u.partner_id, u.mode, u.subject_kind, u.subject_id, u.stripe) \
             = (b.partner_id, b.mode, b.kind, b.id, b.stripe) \
         WHERE b.counted <> b.reserved AND b.bucket >= COALESCE((u.usage ->> (b.unit || '_from'))::bigint, 0)")
}

broken_rows! {
    /// Windows that begin later than their last reservation makes them: what they leave out would not count.
    window_starts, of "limit_usage",
    concat!("WITH ", reservations!(), " \
         SELECT 'limit_usage ' || u.partner_id::text || '/' || u.mode || '/' || u.subject_kind || '/' || u.subject_id || '/' || u.stripe, \
             'forgets everything before hour ' || (u.usage ->> 'hours_from') || ' and day ' || (u.usage ->> 'days_from') \
             || ', which should be hour ' || COALESCE(r.hour - 25, 0) || ' and day ' || COALESCE(r.day - 366, 0) \
         FROM limit_usage u LEFT JOIN (SELECT partner_id, mode, kind, id, stripe, max(hour) AS hour, max(day) AS day \
             FROM reserved GROUP BY 1, 2, 3, 4, 5) r \
         ON (r.partner_id, r.mode, r.kind, r.id, r.stripe) = (u.partner_id, u.mode, u.subject_kind, u.subject_id, u.stripe) \
         WHERE (u.usage ->> 'hours_from')::bigint IS DISTINCT FROM COALESCE(r.hour - 25, 0) \
            OR (u.usage ->> 'days_from')::bigint IS DISTINCT FROM COALESCE(r.day - 366, 0)")
}
