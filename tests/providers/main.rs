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
mod guard;
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

/// How a wallet's pays reach a provider on its stage.
macro_rules! way {
    ($name:ident, $subject:expr, $currency:literal) => {
        end_to_end::Way {
            subject: Box::new($subject),
            currency: $currency,
            point: |settings, url| {
                let provider = &mut settings.providers.$name;
                url.clone_into(&mut provider.test_url);
                (provider.send_timeout_ms, provider.settling_time_ms) = (500, 0);
            },
        }
    };
}

/// A wallet's pay whose answer is lost, over each provider.
macro_rules! end_to_end {
    ($name:ident, $subject:expr, $currency:literal) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            end_to_end::what_was_taken_is_found_and_paid_once(way!($name, $subject, $currency)).await;
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

/// The billing address that a wallet's user gave, in each provider's request.
macro_rules! addressed {
    ($name:ident, $subject:expr, $currency:literal, $at:literal, $expected:tt) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let way = way!($name, $subject, $currency);
            end_to_end::the_users_address_is_sent(way, $at, serde_json::json!($expected)).await;
        }
    };
}

mod a_users_address {
    use super::*;

    addressed!(adyen, adyen::Subject::new(), "EUR", "/counterparty/card/cardHolder/address", {
        "line1": "274", "line2": "Brannan St", "city": "San Francisco", "country": "US", "postalCode": "94107",
        "stateOrProvince": "CA",
    });
    addressed!(checkout, checkout::CheckoutSubject::new(), "EUR", "/destination/account_holder/billing_address", {
        "address_line1": "274 Brannan St", "city": "San Francisco", "country": "US", "zip": "94107", "state": "CA",
    });
    addressed!(tabapay, tabapay::TabapaySubject::new(), "USD", "/accounts/destinationAccount/owner/address", {
        "line1": "274 Brannan St", "city": "San Francisco", "country": "840", "zipcode": "94107", "state": "CA",
    });
    addressed!(worldpay, worldpay::Subject::new(), "EUR", "/instruction/payoutInstrument/billingAddress", {
        "address1": "274 Brannan St", "city": "San Francisco", "countryCode": "US", "postalCode": "94107", "state": "CA",
    });

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_sent_with_an_edited_one() {
        let way = way!(adyen, adyen::Subject::new(), "EUR");
        end_to_end::nothing_is_sent_with_an_edited_address(way).await;
    }
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
