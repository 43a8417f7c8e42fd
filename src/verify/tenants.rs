//! Invariant 8: tenants and modes never mix.

use diesel_async::AsyncPgConnection;

use super::{CheckResult, Report, VerifyError, store};

pub(super) async fn check(conn: &mut AsyncPgConnection, report: &mut Report) -> Result<(), VerifyError> {
    let mut partners =
        CheckResult::new("partners exist", 8, "Every row's partner is there, in every table that has one.");
    for table in store::tables::all(conn).await?.iter().filter(|table| table.has_partner) {
        partners.add(store::tables::without_partner(conn, table).await?);
    }
    report.checks.push(partners);

    report.add(
        "tenants of payouts",
        8,
        "A payout's request, route, deposit account and provider account are its tenant's or the house's, in its mode.",
        store::tenants::payouts(conn).await?,
    );
    report.add(
        "tenants of requests",
        8,
        "A request's payout point, customer and card are its tenant's.",
        store::tenants::requests(conn).await?,
    );
    report.add(
        "tenants of offers",
        8,
        "An offer's card is its customer's, in its tenant.",
        store::tenants::offers(conn).await?,
    );
    report.add("tenants of cards", 8, "A card's customer is of its tenant.", store::tenants::cards(conn).await?);
    report.add(
        "tenants of accounts",
        8,
        "An account's owner is of its tenant and kind.",
        store::tenants::accounts(conn).await?,
    );
    report.add(
        "tenants of entries",
        8,
        "An entry moves balances of its own customer only.",
        store::tenants::entries(conn).await?,
    );
    report.add("subjects of events", 8, "An event's payout is of its request.", store::tenants::events(conn).await?);
    report.add(
        "subjects of cases",
        8,
        "A case's request and payout belong together.",
        store::tenants::cases(conn).await?,
    );
    report.add(
        "tenants of routes",
        8,
        "Routes, deposit accounts and provider accounts stay within their tenant.",
        store::tenants::routes(conn).await?,
    );
    report.add(
        "modes of callbacks",
        8,
        "A callback's provider account is of its mode.",
        store::tenants::callbacks(conn).await?,
    );
    report.add(
        "tenants of webhooks",
        8,
        "A webhook's endpoint and event are of its tenant, and it waits in its endpoint's own lane.",
        store::tenants::webhooks(conn).await?,
    );
    Ok(())
}
