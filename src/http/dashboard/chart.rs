//! Charts, drawn here as SVG that needs no script: columns, one an hour, of one or two parts above each other. Whole numbers only. What a
//! chart shows also stands in a table beside it, and in its label in short.

use askama::Template;
use askama::filters::HtmlSafe;

/// How high the tallest column is, and where the ground is, in the drawing's own units.
const HEIGHT: i64 = 88;
const GROUND: i64 = 100;
/// From one column to the next, and how wide one is.
const STEP: i64 = 20;
const WIDTH: i64 = 15;
/// What isn't nothing is seen.
const SEEN_MIN: i64 = 2;

#[derive(Template)]
#[template(path = "parts/chart.html", config = "web/askama.toml")]
pub struct Chart {
    title: String,
    /// What it shows, in a sentence: for those who don't see it.
    in_short: String,
    /// What the tallest column stands for; empty: there is nothing to show.
    top: String,
    columns: Vec<Drawn>,
    /// What the parts' colours mean; empty where there is one.
    legend: Vec<(&'static str, &'static str)>,
    width: i64,
}
impl HtmlSafe for Chart {}

/// A column, its parts from the ground up, each with the class that colours it.
pub struct Column {
    /// What stands below it; empty: nothing.
    pub name: String,
    /// What it says to whoever points at it.
    pub told: String,
    /// `None`: not known yet.
    pub parts: Option<Vec<(&'static str, i64)>>,
}

struct Drawn {
    x: i64,
    middle: i64,
    name: String,
    told: String,
    is_unknown: bool,
    parts: Vec<Bar>,
}

struct Bar {
    class: &'static str,
    y: i64,
    height: i64,
}

/// A drawing of columns as high as their values, the tallest as high as `top`.
pub struct Plan {
    pub title: String,
    pub in_short: String,
    /// The value at the top; at least the greatest sum of a column's parts.
    pub top: i64,
    pub top_told: String,
    pub legend: Vec<(&'static str, &'static str)>,
}

impl Plan {
    pub fn draw(self, columns: Vec<Column>) -> Chart {
        let top = self.top;
        let width = i64::try_from(columns.len()).unwrap_or(0).saturating_mul(STEP);
        let is_empty =
            top <= 0 || columns.iter().flat_map(|column| column.parts.iter().flatten()).all(|(_, n)| *n == 0);
        let columns = columns.into_iter().enumerate().map(|(n, column)| drawn(n, column, top)).collect();
        let top = if is_empty { String::new() } else { self.top_told };
        Chart { title: self.title, in_short: self.in_short, top, columns, legend: self.legend, width }
    }
}

fn drawn(n: usize, column: Column, top: i64) -> Drawn {
    let x = i64::try_from(n).unwrap_or(0).saturating_mul(STEP);
    let is_unknown = column.parts.is_none();
    let mut y = GROUND;
    let mut parts = Vec::new();
    for (class, value) in column.parts.unwrap_or_default() {
        let height = scaled(value, top);
        if height > 0 {
            y = y.saturating_sub(height);
            parts.push(Bar { class, y, height });
        }
    }
    Drawn { x, middle: x.saturating_add(WIDTH / 2), name: column.name, told: column.told, is_unknown, parts }
}

/// How high a value is drawn.
fn scaled(value: i64, top: i64) -> i64 {
    if value <= 0 || top <= 0 {
        return 0;
    }
    let height = i128::from(value).saturating_mul(i128::from(HEIGHT)) / i128::from(top);
    i64::try_from(height).unwrap_or(HEIGHT).clamp(SEEN_MIN, HEIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[Option<i64>], top: i64) -> String {
        let plan = Plan { title: "T".into(), in_short: "S".into(), top, top_told: "9".into(), legend: Vec::new() };
        let column = |value: &Option<i64>| Column {
            name: String::new(),
            told: "<b>".into(),
            parts: value.map(|n| vec![("good", n)]),
        };
        plan.draw(values.iter().map(column).collect()).render().unwrap()
    }

    #[test]
    fn heights_are_in_proportion_and_what_is_little_is_seen() {
        assert_eq!(
            [scaled(0, 10), scaled(10, 10), scaled(5, 10), scaled(1, 1_000_000)],
            [0, HEIGHT, HEIGHT / 2, SEEN_MIN]
        );
        assert_eq!(scaled(i64::MAX, 1), HEIGHT);
        assert_eq!([scaled(-1, 10), scaled(1, 0)], [0, 0]);
    }

    #[test]
    fn nothing_is_said_as_nothing_and_what_isnt_known_as_that() {
        assert!(chart(&[Some(0), None], 0).contains("Nothing yet"));
        let drawn = chart(&[Some(3), None], 9);
        assert!(
            drawn.contains("class=\"unknown\"") && drawn.contains("class=\"good\"") && drawn.contains("&#60;b&#62;"),
            "{drawn}"
        );
    }
}
