//! What a caller does about an error. Stands beside each code, so that no code is without; `docs/errors.md` tells it. Nothing branches on
//! it: it is said, not done.

/// What helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The same request again, byte for byte and under the same names.
    SameAgain,
    /// Something else first: the same fails each time.
    Change,
    /// A person of the house.
    Ask,
}

/// Whether money may have moved, by this request or by one before it under the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Money {
    Untouched,
    /// Where it stands has to be read before anything else is asked for.
    MayHaveMoved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    pub next: Next,
    pub money: Money,
    /// Sentences in Markdown that stand behind the name of `next`.
    pub how: &'static str,
}

impl Advice {
    pub const fn again(how: &'static str) -> Self {
        Self { next: Next::SameAgain, money: Money::Untouched, how }
    }

    pub const fn change(how: &'static str) -> Self {
        Self { next: Next::Change, money: Money::Untouched, how }
    }

    pub const fn ask(how: &'static str) -> Self {
        Self { next: Next::Ask, money: Money::Untouched, how }
    }

    pub const fn but_money_may_have_moved(self) -> Self {
        Self { money: Money::MayHaveMoved, ..self }
    }

    /// Two cells of a table: what to do, and whether money may have moved.
    pub fn cells(self) -> String {
        let next = match self.next {
            Next::SameAgain => "Same again",
            Next::Change => "Change",
            Next::Ask => "Ask",
        };
        let money = match self.money {
            Money::Untouched => "no",
            Money::MayHaveMoved => "**maybe**",
        };
        format!("**{next}.** {} | {money}", self.how)
    }
}
