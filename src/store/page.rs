//! How lists of one tenant are read: by when rows were made, a slice at a time, from where the last one ended.

/// A slice of one table `t`. Parameters: tenant (as lists' indexes have it), newest first, after (time, id), limit, then what
/// `filters_given` names (`, ?::text AS code`) for `filters` to compare (`AND (ask.code IS NULL OR t.code = ask.code)`).
macro_rules! page_of {
    ($table:literal, $columns:expr, $filters_given:literal, $filters:literal) => {
        concat!(
            "WITH ask AS (SELECT ?::text AS tenant, ?::boolean AS newest_first, ?::timestamptz AS at, ?::uuid AS id, \
                 ?::bigint AS size",
            $filters_given,
            ") SELECT ",
            $columns,
            " FROM ",
            $table,
            " t, ask WHERE (t.partner_id::text || t.mode) = ask.tenant \
               AND CASE WHEN ask.newest_first THEN (t.created_at, t.id) < (ask.at, ask.id) \
                    ELSE (t.created_at, t.id) > (ask.at, ask.id) END ",
            $filters,
            " ORDER BY CASE WHEN ask.newest_first THEN t.created_at END DESC, CASE WHEN ask.newest_first THEN t.id END DESC, \
                 t.created_at, t.id LIMIT (SELECT size FROM ask)"
        )
    };
}

pub(super) use page_of;
