//! One contract for every provider adapter: the behaviours that the gateway relies on, run against whatever adapter
//! joins.
//!
//! An adapter joins by a [`Subject`](contract::Subject), which arranges its provider's situations, and one line here. What the run sees of
//! each is the page `docs/providers/contract.md`.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;
#[path = "../gateway/world.rs"]
#[allow(dead_code, reason = "other test binaries use the rest")]
mod world;

mod adyen;
mod checkout;
mod contract;
mod end_to_end;
mod line;
mod page;
mod prism;
mod props;
mod sandbox;
mod stage;
mod staged;
mod tabapay;
mod tcp;
mod worldpay;

contract! {
    test: sandbox::SandboxSubject::new();
    http: staged::StagedSubject::new();
    http_in_process: line::LineSubject::new();
    http_simulator: tcp::TcpSubject::new();
    adyen: adyen::Subject::new();
    checkout: checkout::CheckoutSubject::new();
    tabapay: tabapay::TabapaySubject::new();
    worldpay: worldpay::Subject::new();
}

/// A wallet's pay whose answer is lost, over each provider.
macro_rules! end_to_end {
    ($name:ident, $subject:expr, $currency:literal) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let way = end_to_end::Way {
                subject: Box::new($subject),
                currency: $currency,
                point: |settings, url| {
                    let provider = &mut settings.providers.$name;
                    url.clone_into(&mut provider.test_url);
                    (provider.send_timeout_ms, provider.settling_time_ms) = (500, 0);
                },
            };
            end_to_end::what_was_taken_is_found_and_paid_once(way).await;
        }
    };
}

mod a_lost_answer {
    use super::*;

    end_to_end!(adyen, adyen::Subject::new(), "EUR");
    end_to_end!(checkout, checkout::CheckoutSubject::new(), "EUR");
    end_to_end!(tabapay, tabapay::TabapaySubject::new(), "USD");
    end_to_end!(worldpay, worldpay::Subject::new(), "EUR");
}

/// Requests before the judge (`make contract`).
macro_rules! judged {
    ($name:ident, $provider:path, $subject:expr, $variants:expr, $inquiries:expr, $misspell:expr, $omit:expr) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            prism::judge(prism::Judged {
                code: stringify!($name),
                settings: |settings| settings.$name.clone(),
                make: |settings, transport| std::sync::Arc::new(<$provider>::new(settings, transport)),
                subject: Box::new($subject),
                variants: $variants,
                inquiries: $inquiries,
                misspell: $misspell,
                omit: $omit,
            })
            .await;
        }
    };
}

mod judged {
    use landfall::providers::adyen::AdyenProvider;
    use landfall::providers::tabapay::TabapayProvider;
    use landfall::providers::worldpay::WorldpayProvider;

    use super::*;

    judged!(
        adyen,
        AdyenProvider,
        adyen::Subject::new(),
        &[],
        &[None, Some("1W1UG35U8A9J5ZLG")],
        |body| prism::rename(body, "reference", "referense"),
        |body| drop(body["counterparty"]["card"].as_object_mut().unwrap().remove("cardHolder"))
    );
    judged!(
        tabapay,
        TabapayProvider,
        tabapay::TabapaySubject::new(),
        &[],
        // Its look-up by reference isn't in the specification that the judge has.
        &[Some("TabaPayTransactionID22")],
        |body| prism::rename(body, "referenceID", "referenceId"),
        |body| drop(body.as_object_mut().unwrap().remove("amount"))
    );
    judged!(
        worldpay,
        WorldpayProvider,
        worldpay::Subject::new(),
        &[&[("method", "basic")], &[("method", "fast_access")]],
        &[None, Some("1W1UG35U8A9J5ZLG")],
        |body| prism::rename(body, "transactionReference", "transactionReferense"),
        |body| drop(body.as_object_mut().unwrap().remove("instruction"))
    );
}
