//! The ledger's recipes, in any order, against a naive book that moves amounts between named pots.

use std::collections::BTreeMap;

use landfall::domain::asset::AssetCode;
use landfall::domain::ids::{CustomerId, DepositAccountId, Mode, PartnerId, Tenant};
use landfall::domain::ledger::{self, AccountKey, CryptoTerms, Entry, FiatSide, Holder, LedgerError};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::config;

/// What is moved, in whole units.
#[derive(Clone, Debug)]
enum Move {
    Credit {
        who: usize,
        amount: i64,
    },
    Hold {
        who: usize,
        amount: i64,
    },
    Release {
        who: usize,
        amount: i64,
    },
    /// Inventory, spread, rounding, fees, the partner's fee; and the fiat that left.
    Settle {
        who: usize,
        terms: [i64; 5],
        fiat: i64,
    },
    Return {
        who: usize,
        terms: [i64; 5],
        fiat: i64,
    },
    SettleOwn {
        fiat: i64,
    },
    ReturnOwn {
        fiat: i64,
    },
    Cost {
        fiat: i64,
    },
    TopUp {
        fiat: i64,
    },
    LateSuccess {
        fiat: i64,
    },
    Unmatched {
        fiat: i64,
    },
    Recovery {
        fiat: i64,
    },
    WriteOff {
        fiat: i64,
    },
    Explained {
        fiat: i64,
    },
}

/// Two users and the partner.
const HOLDERS: [&str; 3] = ["anna", "ben", "partner"];
const TERMS: [&str; 5] = ["house_inventory", "spread_income", "rounding", "fee_income", "partner_payable"];

#[derive(Clone, Debug, Default)]
struct Pots {
    of: BTreeMap<String, i64>,
    refused: bool,
}

impl Pots {
    /// From one to the other.
    fn pass(&mut self, from: &str, to: &str, amount: i64) {
        *self.of.entry(from.to_owned()).or_default() -= amount;
        *self.of.entry(to.to_owned()).or_default() += amount;
    }

    fn carry(&mut self, what: &Move) {
        match what {
            Move::Credit { who, amount } => self.pass("usdt external", &available(*who), *amount),
            Move::Hold { who, amount } => self.pass(&available(*who), &held(*who), *amount),
            Move::Release { who, amount } => self.pass(&held(*who), &available(*who), *amount),
            Move::Settle { who, terms, fiat } => {
                for (name, amount) in TERMS.iter().zip(terms) {
                    self.pass(&held(*who), &format!("usdt {name}"), *amount);
                }
                self.pass("eur provider_funding", "eur external", *fiat);
            }
            Move::Return { who, terms, fiat } => {
                for (name, amount) in TERMS.iter().zip(terms) {
                    self.pass(&format!("usdt {name}"), &available(*who), *amount);
                }
                self.pass("eur external", "eur provider_funding", *fiat);
            }
            Move::SettleOwn { fiat } => self.pass("eur provider_funding", "eur external", *fiat),
            Move::ReturnOwn { fiat } | Move::TopUp { fiat } => self.pass("eur external", "eur provider_funding", *fiat),
            Move::Cost { fiat } => self.pass("eur provider_funding", "eur payout_cost", *fiat),
            Move::LateSuccess { fiat } | Move::Unmatched { fiat } => {
                self.pass("eur provider_funding", "eur external", *fiat);
                self.pass("eur suspense", "eur recoverable", *fiat);
            }
            Move::Recovery { fiat } => {
                self.pass("eur external", "eur provider_funding", *fiat);
                self.pass("eur recoverable", "eur suspense", *fiat);
            }
            Move::WriteOff { fiat } | Move::Explained { fiat } => self.pass("eur recoverable", "eur suspense", *fiat),
        }
    }

    fn is_overdrawn(&self) -> bool {
        HOLDERS.iter().enumerate().any(|(who, _)| {
            let of = |name: String| self.of.get(&name).copied().unwrap_or(0);
            of(available(who)) < 0 || of(held(who)) < 0
        })
    }
}

fn available(who: usize) -> String {
    format!("usdt {} available", HOLDERS[who])
}

fn held(who: usize) -> String {
    format!("usdt {} held", HOLDERS[who])
}

struct PotsModel;

impl ReferenceStateMachine for PotsModel {
    type State = Pots;
    type Transition = Move;

    fn init_state() -> BoxedStrategy<Pots> {
        Just(Pots::default()).boxed()
    }

    fn transitions(_: &Pots) -> BoxedStrategy<Move> {
        let of = || (0..HOLDERS.len(), 0..500_i64);
        let terms = || (0..HOLDERS.len(), [0..100_i64, 0..20, 0..3, 0..20, 0..5], 0..200_i64);
        let fiat = || 0..200_i64;
        prop_oneof![
            3 => (0..HOLDERS.len(), 0..1_000_i64).prop_map(|(who, amount)| Move::Credit { who, amount }),
            3 => of().prop_map(|(who, amount)| Move::Hold { who, amount }),
            1 => of().prop_map(|(who, amount)| Move::Release { who, amount }),
            3 => terms().prop_map(|(who, terms, fiat)| Move::Settle { who, terms, fiat }),
            1 => terms().prop_map(|(who, terms, fiat)| Move::Return { who, terms, fiat }),
            1 => fiat().prop_map(|fiat| Move::SettleOwn { fiat }),
            1 => fiat().prop_map(|fiat| Move::ReturnOwn { fiat }),
            1 => fiat().prop_map(|fiat| Move::Cost { fiat }),
            1 => fiat().prop_map(|fiat| Move::TopUp { fiat }),
            1 => fiat().prop_map(|fiat| Move::LateSuccess { fiat }),
            1 => fiat().prop_map(|fiat| Move::Unmatched { fiat }),
            1 => fiat().prop_map(|fiat| Move::Recovery { fiat }),
            1 => fiat().prop_map(|fiat| Move::WriteOff { fiat }),
            1 => fiat().prop_map(|fiat| Move::Explained { fiat }),
        ]
        .boxed()
    }

    /// What would overdraw a user or the partner is refused, and nothing of it moves.
    fn apply(mut pots: Pots, what: &Move) -> Pots {
        let before = pots.of.clone();
        pots.carry(what);
        pots.refused = pots.is_overdrawn();
        if pots.refused {
            pots.of = before;
        }
        pots
    }
}

/// Balances by the entries' postings, kept as the database keeps them.
#[derive(Default)]
struct Books {
    balances: BTreeMap<AccountKey, Decimal>,
    booked: i64,
}

impl Books {
    fn book(&mut self, entry: &Entry) -> Result<(), ()> {
        let mut sums: BTreeMap<AssetCode, Decimal> = BTreeMap::new();
        let mut after = self.balances.clone();
        for posting in entry.postings() {
            assert!(!posting.amount.is_zero());
            *sums.entry(posting.account.asset).or_default() += posting.amount;
            *after.entry(posting.account).or_default() += posting.amount;
        }
        assert!(sums.values().all(Decimal::is_zero), "{entry:?}");
        if after.iter().any(|(key, balance)| key.kind.has_own_row_balance() && *balance < Decimal::ZERO) {
            return Err(());
        }
        self.balances = after;
        self.booked += 1;
        Ok(())
    }

    fn by_name(&self) -> BTreeMap<String, i64> {
        let name = |key: &AccountKey| {
            let asset = key.asset.to_string().to_lowercase();
            let who = (0..HOLDERS.len()).find_map(|who| {
                let holder = holder(who);
                let kinds = [(holder.available(key.asset), "available"), (holder.held(key.asset), "held")];
                kinds.iter().find(|(own, _)| own == key).map(|(_, kind)| format!("{} {kind}", HOLDERS[who]))
            });
            format!("{asset} {}", who.unwrap_or_else(|| key.kind.as_str().to_owned()))
        };
        let whole = |balance: &Decimal| balance.normalize().to_string().parse::<i64>().unwrap();
        self.balances.iter().map(|(key, balance)| (name(key), whole(balance))).filter(|(_, b)| *b != 0).collect()
    }
}

fn holder(who: usize) -> Holder {
    match who {
        2 => Holder::Partner,
        user => Holder::Customer(CustomerId(Uuid::from_u128(u128::try_from(user).unwrap() + 1))),
    }
}

fn entry_of(what: &Move, reference: &str) -> Result<Entry, LedgerError> {
    let tenant = Tenant { partner_id: PartnerId(Uuid::nil()), mode: Mode::Test };
    let (usdt, eur): (AssetCode, AssetCode) = ("USDT".parse().unwrap(), "EUR".parse().unwrap());
    let fiat_of =
        |amount: i64| FiatSide { deposit_account: DepositAccountId(Uuid::nil()), asset: eur, amount: amount.into() };
    let crypto = |[inventory, spread, rounding, fees, partner]: [i64; 5]| CryptoTerms {
        house_inventory: inventory.into(),
        spread_income: spread.into(),
        rounding: rounding.into(),
        fee_income: fees.into(),
        partner_payable: partner.into(),
    };
    match *what {
        Move::Credit { who, amount } => ledger::credit(tenant, holder(who), usdt, amount.into(), reference),
        Move::Hold { who, amount } => ledger::hold(tenant, holder(who), usdt, amount.into(), reference),
        Move::Release { who, amount } => ledger::release(tenant, holder(who), usdt, amount.into(), reference),
        Move::Settle { who, terms, fiat } => {
            ledger::settle(tenant, holder(who), usdt, &crypto(terms), fiat_of(fiat), reference)
        }
        Move::Return { who, terms, fiat } => {
            ledger::return_payout(tenant, holder(who), usdt, &crypto(terms), fiat_of(fiat), reference)
        }
        Move::SettleOwn { fiat } => ledger::settle_own(tenant, fiat_of(fiat), reference),
        Move::ReturnOwn { fiat } => ledger::return_own(tenant, fiat_of(fiat), reference),
        Move::Cost { fiat } => ledger::payout_cost(tenant, fiat_of(fiat), reference),
        Move::TopUp { fiat } => ledger::top_up(tenant, fiat_of(fiat), reference),
        Move::LateSuccess { fiat } => ledger::late_success(tenant, fiat_of(fiat), reference),
        Move::Unmatched { fiat } => ledger::unmatched(tenant, fiat_of(fiat), reference),
        Move::Recovery { fiat } => ledger::recovery(tenant, fiat_of(fiat), reference),
        Move::WriteOff { fiat } => ledger::write_off(tenant, eur, fiat.into(), reference),
        Move::Explained { fiat } => ledger::explained(tenant, eur, fiat.into(), reference),
    }
}

struct LedgerTest;

impl StateMachineTest for LedgerTest {
    type SystemUnderTest = Books;
    type Reference = PotsModel;

    fn init_test(_: &Pots) -> Books {
        Books::default()
    }

    fn apply(mut books: Books, pots: &Pots, what: Move) -> Books {
        match entry_of(&what, &books.booked.to_string()) {
            Ok(entry) => assert_eq!(books.book(&entry).is_err(), pots.refused, "{what:?}"),
            // Of nothing nothing is booked.
            Err(LedgerError::Empty { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        books
    }

    fn check_invariants(books: &Books, pots: &Pots) {
        let expected: BTreeMap<String, i64> = pots.of.clone().into_iter().filter(|(_, amount)| *amount != 0).collect();
        assert_eq!(books.by_name(), expected);
        assert_eq!(expected.values().sum::<i64>(), 0);
    }
}

prop_state_machine! {
    #![proptest_config(config(200))]

    #[test]
    fn the_books_say_what_was_moved_where(sequential 1..40 => LedgerTest);
}
