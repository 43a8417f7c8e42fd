//! The table of decisions, pair by pair, and the page that is made from it.

use super::*;

use DecisionKind as D;
use PayoutStatus as S;

fn payout(status: PayoutStatus) -> PayoutFacts {
    PayoutFacts { status, is_reported: false, is_being_sent: false, has_settled: true, may_be_tried_again: true }
}

/// Where nothing stops the request, a case about the payout is what there is to decide.
fn facts(stopped: Option<Reason>, payout: Option<PayoutFacts>) -> Facts {
    let payout = payout.map(|payout| PayoutFacts { is_reported: stopped.is_none(), ..payout });
    Facts { stopped, is_ending: false, may_try_rest: true, payout }
}

/// Under which a payout may have been sent.
fn grounds_after_a_send() -> Vec<Option<Reason>> {
    grounds().into_iter().filter(|reason| *reason != Some(Reason::Screening)).collect()
}

fn grounds() -> Vec<Option<Reason>> {
    Reason::ALL.into_iter().map(Some).chain([None]).collect()
}

/// Written down anew, one line a decision, so that the table and this don't share a slip.
fn expected(stopped: Option<Reason>, status: Option<PayoutStatus>, kind: DecisionKind) -> bool {
    let is_open = matches!(status, Some(S::Pending | S::Unknown));
    match kind {
        // What the provider has already isn't sent.
        D::Continue => stopped.is_some_and(|reason| reason != Reason::UnsentAtProvider),
        D::Reject => stopped.is_some(),
        // What waits for its screening has sent nothing that could be marked.
        D::MarkPaid | D::MarkFailedRelease => is_open && stopped != Some(Reason::Screening),
        D::MarkFailedFailover => is_open && matches!(stopped, Some(Reason::NotFoundAtProvider | Reason::FateOpen)),
    }
}

#[test]
fn each_reason_with_each_state_of_a_payout_allows_the_listed_decisions_and_no_other() {
    for stopped in grounds() {
        for status in S::ALL.into_iter().map(Some).chain([None]) {
            for kind in D::ALL {
                let is_allowed = judge(kind, &facts(stopped, status.map(payout))).is_ok();
                assert_eq!(is_allowed, expected(stopped, status, kind), "{stopped:?} {status:?} {kind}");
            }
        }
    }
}

#[test]
fn nothing_is_decided_where_nothing_waits() {
    for status in S::ALL {
        let facts = Facts { payout: Some(payout(status)), ..facts(None, None) };
        for kind in D::ALL {
            assert_eq!(judge(kind, &facts), Err(NotNow::NothingWaits), "{status} {kind}");
        }
    }
}

#[test]
fn a_payout_that_somebody_may_be_sending_is_left_alone_under_every_reason() {
    for stopped in grounds_after_a_send() {
        for status in [S::Pending, S::Unknown] {
            for kind in D::ALL.into_iter().filter(|kind| kind.marks_payout()) {
                let sending = PayoutFacts { is_being_sent: true, ..payout(status) };
                assert_eq!(judge(kind, &facts(stopped, Some(sending))), Err(NotNow::BeingSent));
            }
        }
    }
}

#[test]
fn nobody_says_failed_before_the_provider_has_had_its_time() {
    for stopped in grounds_after_a_send() {
        for kind in [D::MarkFailedRelease, D::MarkFailedFailover] {
            let early = PayoutFacts { has_settled: false, ..payout(S::Unknown) };
            assert_eq!(judge(kind, &facts(stopped, Some(early))), Err(NotNow::NotSettled));
        }
        // A proof of payment doesn't have to wait for anything.
        let early = PayoutFacts { has_settled: false, ..payout(S::Unknown) };
        assert_eq!(judge(D::MarkPaid, &facts(stopped, Some(early))), Ok(()));
    }
}

#[test]
fn what_is_ending_tries_no_other_route() {
    let stopped = Some(Reason::NotFoundAtProvider);
    let ending = Facts { is_ending: true, ..facts(stopped, Some(payout(S::Unknown))) };
    assert_eq!(judge(D::MarkFailedFailover, &ending), Err(NotNow::NothingToTry));
    assert_eq!(judge(D::MarkFailedRelease, &ending), Ok(()));
    let used_up = PayoutFacts { may_be_tried_again: false, ..payout(S::Unknown) };
    assert_eq!(judge(D::MarkFailedFailover, &facts(stopped, Some(used_up))), Err(NotNow::NothingToTry));
    let ending = Facts { is_ending: true, ..facts(Some(Reason::PartlyPaid), None) };
    assert_eq!(judge(D::Continue, &ending), Err(NotNow::NothingToTry));
    assert_eq!(judge(D::Reject, &ending), Ok(()));
    let used_up = Facts { may_try_rest: false, ..facts(Some(Reason::PartlyPaid), None) };
    assert_eq!(judge(D::Continue, &used_up), Err(NotNow::NothingToTry));
}

#[test]
fn what_a_provider_reports_of_a_payout_keeps_other_routes_from_being_tried() {
    let reported = PayoutFacts { is_reported: true, ..payout(S::Unknown) };
    let facts = Facts { payout: Some(reported), ..facts(Some(Reason::NotFoundAtProvider), None) };
    assert_eq!(judge(D::MarkFailedFailover, &facts), Err(NotNow::MayHavePaid));
    assert_eq!(judge(D::MarkPaid, &facts), Ok(()));
}

#[test]
fn names_are_read_back() {
    for reason in Reason::ALL {
        assert_eq!(reason.as_str().parse(), Ok(reason));
    }
    for kind in D::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
    assert!("approve".parse::<DecisionKind>().is_err() && "boredom".parse::<Reason>().is_err());
}

/// The tables of the page, as the rules say them.
fn tables() -> String {
    let mut text = String::from("| decision | what it does | evidence |\n|---|---|---|\n");
    for kind in D::ALL {
        let evidence = if kind.marks_payout() { "required" } else { "as you have it" };
        text += &format!("| `{kind}` | {} | {evidence} |\n", kind.in_words());
    }
    text += "\n| what waits | what it means |";
    for kind in D::ALL {
        text += &format!(" `{kind}` |");
    }
    text += &format!("\n|---|---|{}\n", "---|".repeat(D::ALL.len()));
    for stopped in grounds() {
        match stopped {
            Some(reason) => text += &format!("| `{reason}` | {} |", reason.in_words()),
            None => {
                text += "| an open case about a payout | its provider says what can't be booked; the request isn't stopped |";
            }
        }
        for kind in D::ALL {
            let without = judge(kind, &facts(stopped, None)).is_ok();
            let with = judge(kind, &facts(stopped, Some(payout(S::Unknown)))).is_ok();
            text += match (without, with) {
                (true, _) => " yes |",
                (false, true) => " an open payout |",
                (false, false) => " no |",
            };
        }
        text += "\n";
    }
    text += "\n| refused as | why |\n|---|---|\n";
    for not_now in [
        NotNow::NothingWaits,
        NotNow::PayoutUnnamed,
        NotNow::PayoutUnsent,
        NotNow::PayoutFinal,
        NotNow::BeingSent,
        NotNow::NotSettled,
        NotNow::NothingToTry,
        NotNow::MayHavePaid,
    ] {
        text += &format!("| `{}` | {not_now} |\n", not_now.as_str());
    }
    text
}

#[test]
fn the_page_about_moderation_has_the_tables_that_the_rules_make() {
    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/moderation.md");
    const BEGIN: &str =
        "<!-- Made from src/domain/moderation.rs. Don't edit: LANDFALL_BLESS=1 cargo test --lib moderation -->\n\n";
    const END: &str = "\n<!-- End of what is made. -->\n";
    let page = std::fs::read_to_string(PATH).unwrap();
    let (head, rest) = page.split_once(BEGIN).unwrap();
    let (written, tail) = rest.split_once(END).unwrap();
    if std::env::var_os("LANDFALL_BLESS").is_some() {
        std::fs::write(PATH, format!("{head}{BEGIN}{}{END}{tail}", tables())).unwrap();
    } else {
        assert!(written == tables(), "docs/moderation.md is old: LANDFALL_BLESS=1 cargo test --lib moderation");
    }
}
