//! What stands in one place of a table or beside one name: for a page, where it is escaped, and for a file, where no program takes it
//! for a formula.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::parts::{Amount, Badge, CardPart, Moment, outside};
use crate::domain::asset::{AssetCode, Assets};
use crate::domain::ids::Mode;

#[derive(Clone, Template)]
#[template(path = "parts/link.html", config = "web/askama.toml")]
pub struct LinkPart {
    href: String,
    text: String,
    small: Option<String>,
}

#[derive(Clone, Template)]
#[template(path = "parts/text.html", config = "web/askama.toml")]
pub struct TextPart {
    text: String,
    is_code: bool,
}

#[derive(Clone, Template)]
#[template(path = "parts/data.html", config = "web/askama.toml")]
pub struct DataPart {
    summary: String,
    raw: String,
}

/// Each variant escapes what it shows.
#[derive(Clone)]
pub enum Cell {
    Empty,
    Text(TextPart),
    Link(LinkPart),
    Amount(Amount),
    Moment(Moment),
    Badge(Badge),
    Card(CardPart),
    /// Behind a word that opens it.
    Data(DataPart),
}
impl HtmlSafe for Cell {}

impl Cell {
    /// A text of ours or from outside, without anything that could be a card number.
    pub fn text(text: impl AsRef<str>) -> Self {
        Cell::Text(TextPart { text: outside(text.as_ref()), is_code: false })
    }

    /// The same, where there may be none.
    pub fn maybe(text: Option<impl AsRef<str>>) -> Self {
        text.map_or(Cell::Empty, Cell::text)
    }

    /// An id or a reference. `is_ours`: it can't be a card number, however its digits look.
    pub fn code(text: impl AsRef<str>) -> Self {
        Cell::Text(TextPart { text: outside(text.as_ref()), is_code: true })
    }

    /// An id of ours, whose digits can't be a card number however they look.
    pub fn id(id: impl fmt::Display) -> Self {
        Cell::Text(TextPart { text: id.to_string(), is_code: true })
    }

    pub fn maybe_code(text: Option<impl AsRef<str>>) -> Self {
        text.map_or(Cell::Empty, Cell::code)
    }

    /// A link whose text may come from outside; its address is made by us.
    pub fn link(href: String, text: impl AsRef<str>) -> Self {
        Cell::Link(LinkPart { href, text: outside(text.as_ref()), small: None })
    }

    /// A link to something of ours by its id.
    pub fn id_link(href: String, id: impl fmt::Display) -> Self {
        Cell::Link(LinkPart { href, text: id.to_string(), small: None })
    }

    /// With a line in small letters under it.
    #[must_use]
    pub fn with_small(self, small: impl AsRef<str>) -> Self {
        match self {
            Cell::Link(link) => Cell::Link(LinkPart { small: Some(outside(small.as_ref())), ..link }),
            other => other,
        }
    }

    pub fn amount(amount: Decimal, currency: AssetCode, assets: &Assets) -> Self {
        Cell::Amount(Amount::of(amount, currency, assets))
    }

    pub fn moment(at: DateTime<Utc>) -> Self {
        Cell::Moment(Moment::of(at))
    }

    pub fn maybe_moment(at: Option<DateTime<Utc>>) -> Self {
        at.map_or(Cell::Empty, Cell::moment)
    }

    /// Data as it is stored, which is opened by a click.
    pub fn data(summary: &str, value: &serde_json::Value) -> Self {
        Cell::Data(DataPart { summary: summary.to_owned(), raw: super::parts::raw(value) })
    }

    /// What a file has in its place; of an amount the number alone, its currency stands beside it.
    pub fn plain(&self) -> String {
        match self {
            Cell::Empty => String::new(),
            Cell::Text(part) => safe(&part.text),
            Cell::Link(part) => safe(&part.text),
            // A number may begin with a minus.
            Cell::Amount(amount) => amount.exact().to_owned(),
            Cell::Moment(at) => at.iso().to_owned(),
            Cell::Badge(badge) => badge.text.to_owned(),
            Cell::Card(card) => safe(&card.text()),
            Cell::Data(part) => safe(&part.raw),
        }
    }

    pub fn currency(&self) -> &str {
        match self {
            Cell::Amount(amount) => amount.code(),
            _ => "",
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Empty => Ok(()),
            Cell::Text(part) => write!(f, "{part}"),
            Cell::Link(part) => write!(f, "{part}"),
            Cell::Amount(part) => write!(f, "{part}"),
            Cell::Moment(part) => write!(f, "{part}"),
            Cell::Badge(part) => write!(f, "{part}"),
            Cell::Card(part) => write!(f, "{part}"),
            Cell::Data(part) => write!(f, "{part}"),
        }
    }
}

/// A text that no spreadsheet takes for a formula (OWASP, CSV injection): one that begins like one gets an apostrophe before it.
fn safe(text: &str) -> String {
    let begins_like_one = text
        .trim_start_matches([' ', '\u{a0}', '\n'])
        .starts_with(['=', '+', '-', '@', '\t', '\r', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    if begins_like_one { format!("'{text}") } else { text.to_owned() }
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Plain,
    /// Text that somebody else wrote: it may be long.
    Outside,
    /// Aligned at its end.
    Number,
    /// Money: a file has its currency in a column of its own.
    Money,
}

/// Where cells stand: what their links and amounts are made by.
#[derive(Clone, Copy)]
pub struct At<'a> {
    pub mode: Mode,
    pub assets: &'a Assets,
}

impl At<'_> {
    /// The address of a page under the mode.
    pub fn href(&self, rest: fmt::Arguments<'_>) -> String {
        format!("/dashboard/{}/{rest}", self.mode)
    }

    pub fn amount(&self, amount: Decimal, currency: AssetCode) -> Cell {
        Cell::amount(amount, currency, self.assets)
    }
}

/// A column of things of one kind: its name, and what stands in it for each.
pub struct Column<L> {
    head: Head,
    cell: fn(&L, At<'_>) -> Cell,
}

impl<L> Column<L> {
    pub const fn new(label: &'static str, kind: Kind, cell: fn(&L, At<'_>) -> Cell) -> Self {
        Self { head: Head { label, kind }, cell }
    }

    pub const fn plain(label: &'static str, cell: fn(&L, At<'_>) -> Cell) -> Self {
        Self::new(label, Kind::Plain, cell)
    }

    pub const fn outside(label: &'static str, cell: fn(&L, At<'_>) -> Cell) -> Self {
        Self::new(label, Kind::Outside, cell)
    }

    pub const fn number(label: &'static str, cell: fn(&L, At<'_>) -> Cell) -> Self {
        Self::new(label, Kind::Number, cell)
    }

    pub const fn money(label: &'static str, cell: fn(&L, At<'_>) -> Cell) -> Self {
        Self::new(label, Kind::Money, cell)
    }
}

/// What stands above a column.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub label: &'static str,
    pub kind: Kind,
}

impl Head {
    pub fn class(&self) -> &'static str {
        match self.kind {
            Kind::Plain => "",
            Kind::Outside => "outside",
            Kind::Number | Kind::Money => "number",
        }
    }
}

/// Rows under the names of their columns.
#[derive(Clone, Default)]
pub struct Table {
    pub columns: Vec<Head>,
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    pub fn new<const N: usize>(columns: [(&'static str, Kind); N], rows: Vec<[Cell; N]>) -> Self {
        let columns = columns.map(|(label, kind)| Head { label, kind }).to_vec();
        Self { columns, rows: rows.into_iter().map(Vec::from).collect() }
    }

    /// Things under each other.
    pub fn of<L>(columns: &[Column<L>], lines: &[L], at: At<'_>) -> Self {
        let row = |line: &L| columns.iter().map(|column| (column.cell)(line, at)).collect();
        Self { columns: columns.iter().map(|column| column.head).collect(), rows: lines.iter().map(row).collect() }
    }

    /// The first cell of each row names it; the others stand beside their columns.
    pub fn lines(&self) -> impl Iterator<Item = impl Iterator<Item = (&Head, &Cell)>> {
        self.rows.iter().map(move |row| self.columns.iter().zip(row))
    }

    /// The names of a file's columns.
    pub fn file_header(&self) -> Vec<String> {
        let names = |column: &Head| {
            let currency = (column.kind == Kind::Money).then(|| format!("{} currency", column.label));
            std::iter::once(column.label.to_owned()).chain(currency)
        };
        self.columns.iter().flat_map(names).collect()
    }

    pub fn file_rows(&self) -> impl Iterator<Item = Vec<String>> {
        self.lines().map(|row| {
            let fields = |(column, cell): (&Head, &Cell)| {
                let currency = (column.kind == Kind::Money).then(|| cell.currency().to_owned());
                std::iter::once(cell.plain()).chain(currency)
            };
            row.flat_map(fields).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_file_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\u{ff1d}1", "-2+3+cmd|' /C calc'!A0"] {
            assert!(Cell::text(text).plain().starts_with('\''), "{text}");
            assert!(Cell::link(String::new(), text).plain().starts_with('\''), "{text}");
        }
        assert_eq!(Cell::text("a=b").plain(), "a=b");
    }

    #[test]
    fn a_cell_escapes_what_it_shows_and_shows_no_card_number() {
        let attack = "<b>4111111111111111</b>";
        for cell in [Cell::text(attack), Cell::code(attack), Cell::link("/x".to_owned(), attack).with_small(attack)] {
            let html = cell.to_string();
            assert!(!html.contains("<b>") && !html.contains("4111111111111111"), "{html}");
        }
    }

    #[test]
    fn money_has_its_currency_in_a_column_of_its_own() {
        let eur = "EUR".parse().unwrap();
        let amount = Cell::amount(rust_decimal::dec!(-1.5), eur, &Assets::default());
        let table = Table::new([("Name", Kind::Plain), ("Amount", Kind::Money)], vec![[Cell::text("a"), amount]]);
        assert_eq!(table.file_header(), ["Name", "Amount", "Amount currency"]);
        assert_eq!(table.file_rows().collect::<Vec<_>>(), [["a", "-1.5", "EUR"]]);
    }
}
