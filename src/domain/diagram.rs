//! Pictures of state machines, drawn from their transition tables: `docs/images/*-states.svg`. Every state and every arrow comes out of the
//! table, so a picture can't say anything else. To draw them anew: `LANDFALL_BLESS=1 cargo test --lib diagram`.
//!
//! States that go on stand in a column, ends in a row below. A state's line to the right meets the line of each end that it can have with a
//! dot; lines that cross without a dot have nothing to do with each other. Whole numbers: a picture is the same on every machine.

use std::fmt::{self, Write};

/// Where a state stands in the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the column, in the order of the states.
    Column,
    /// In the row below.
    End,
    /// Under the ends that it follows.
    After,
}

/// A state machine as a picture needs it.
pub struct Machine {
    pub about: &'static str,
    pub states: Vec<(&'static str, Place)>,
    /// From, to, and what moves it: all that there are.
    pub moves: Vec<(&'static str, &'static str, String)>,
}

const BOX_HEIGHT: i32 = 52;
const ROW: i32 = 92;
const MARGIN: i32 = 16;
/// Between two ends.
const GAP: i32 = 26;
/// Room for a line at the left of the column, with what it says.
const LANE: i32 = 104;
/// Room at the right of the last end for what its line says.
const LABEL: i32 = 36;

#[derive(Clone, Copy)]
struct Rect {
    x: i32,
    y: i32,
    width: i32,
}

impl Rect {
    fn middle(self) -> i32 {
        self.x + self.width / 2
    }

    fn right(self) -> i32 {
        self.x + self.width
    }
}

/// A move between two states of the column that aren't one right below the other, or back: it goes round at the left.
struct Detour<'a> {
    from: usize,
    to: usize,
    label: &'a str,
    /// How far out: the longer, the farther.
    lane: i32,
}

impl Detour<'_> {
    fn span(&self) -> usize {
        self.from.abs_diff(self.to)
    }
}

struct Picture<'a> {
    machine: &'a Machine,
    column: Vec<&'static str>,
    detours: Vec<Detour<'a>>,
    left: i32,
}

fn width(name: &str) -> i32 {
    i32::try_from(name.len()).unwrap_or(0) * 8 + 26
}

impl Machine {
    pub fn svg(&self) -> String {
        let mut out = String::new();
        // Writing to a String doesn't fail.
        Picture::of(self).write(&mut out).unwrap_or_default();
        out
    }

    fn at(&self, place: Place) -> Vec<&'static str> {
        self.states.iter().filter(|(_, at)| *at == place).map(|(name, _)| *name).collect()
    }

    fn says(&self, from: &str, to: &str) -> Option<&str> {
        self.moves.iter().find(|(f, t, _)| (*f, *t) == (from, to)).map(|(.., says)| says.as_str())
    }
}

impl<'a> Picture<'a> {
    fn of(machine: &'a Machine) -> Self {
        let column = machine.at(Place::Column);
        let place = |name: &str| column.iter().position(|one| *one == name);
        let mut detours: Vec<Detour<'a>> = machine
            .moves
            .iter()
            .filter_map(|(from, to, label)| Some(Detour { from: place(from)?, to: place(to)?, label, lane: 0 }))
            .filter(|detour| detour.to != detour.from + 1)
            .collect();
        detours.sort_by_key(Detour::span);
        for n in 0..detours.len() {
            let (done, rest) = detours.split_at_mut(n);
            let one = &mut rest[0];
            let meets = |other: &&Detour| {
                let (low, high) = (one.from.min(one.to), one.from.max(one.to));
                one.span() > 0 && other.span() > 0 && other.from.min(other.to) < high && other.from.max(other.to) > low
            };
            one.lane = done.iter().filter(meets).map(|other| other.lane + 1).max().unwrap_or(0);
        }
        let lanes = detours.iter().map(|one| one.lane + 1).max().unwrap_or(0);
        Self { machine, column, detours, left: MARGIN + lanes * LANE }
    }

    fn of_column(&self, row: usize) -> Rect {
        let widest = self.column.iter().map(|name| width(name)).max().unwrap_or(0);
        Rect { x: self.left, y: MARGIN + i32::try_from(row).unwrap_or(0) * ROW, width: widest }
    }

    fn ends(&self) -> Vec<(&'static str, Rect)> {
        let mut x = self.of_column(0).right() + 44;
        let y = MARGIN + i32::try_from(self.column.len()).unwrap_or(0) * ROW + 14;
        let place = |name: &'static str| {
            let rect = Rect { x, y, width: self.width_over_afters(name).max(96) };
            x = rect.right() + GAP;
            (name, rect)
        };
        self.machine.at(Place::End).into_iter().map(place).collect()
    }

    /// So that what stands under it stands apart from its neighbour.
    fn width_over_afters(&self, end: &str) -> i32 {
        let afters = self.machine.at(Place::After).into_iter().filter(|after| self.machine.says(end, after).is_some());
        afters.map(width).max().unwrap_or(0).max(width(end))
    }

    fn afters(&self) -> Vec<(&'static str, Rect)> {
        let ends = self.ends();
        let under = |name: &'static str| {
            let (_, first) = ends.iter().find(|(end, _)| self.machine.says(end, name).is_some())?;
            let width = width(name).max(first.width);
            Some((name, Rect { x: first.middle() - width / 2, y: first.y + ROW + 14, width }))
        };
        self.machine.at(Place::After).into_iter().filter_map(under).collect()
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let boxes = [self.ends(), self.afters()].concat();
        let across = boxes.iter().map(|(_, rect)| rect.right()).max().unwrap_or(0) + MARGIN + LABEL;
        let down = boxes.iter().map(|(_, rect)| rect.y).max().unwrap_or(0) + BOX_HEIGHT + MARGIN + 20;
        writeln!(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {across} {down}\" role=\"img\">")?;
        writeln!(out, "<!-- Drawn from the transition table by src/domain/diagram.rs. Don't edit. -->")?;
        writeln!(out, "<title>{}</title>\n{STYLE}", self.machine.about)?;
        for row in 0..self.column.len() {
            self.write_step(out, row)?;
            self.write_line_to_ends(out, row)?;
            self.write_detours(out, row)?;
        }
        self.write_ends(out)?;
        for (row, name) in self.column.iter().enumerate() {
            write_box(out, name, self.of_column(row), "state")?;
        }
        for (name, rect) in &boxes {
            write_box(out, name, *rect, "state end")?;
        }
        out.write_str("</svg>\n")
    }

    /// From a state to the one right below it.
    fn write_step(&self, out: &mut String, row: usize) -> fmt::Result {
        let Some(next) = self.column.get(row + 1) else { return Ok(()) };
        let Some(label) = self.machine.says(self.column[row], next) else { return Ok(()) };
        let (x, y) = (self.of_column(row).middle(), self.of_column(row).y + BOX_HEIGHT);
        write_arrow(out, &format!("M{x} {y}V{}", self.of_column(row + 1).y - 2))?;
        write_label(out, x + 8, y + (ROW - BOX_HEIGHT) / 2 + 3, "start", label)
    }

    /// One line to the right, with a dot where it meets an end's.
    fn write_line_to_ends(&self, out: &mut String, row: usize) -> fmt::Result {
        let (rect, name) = (self.of_column(row), self.column[row]);
        let y = rect.y + BOX_HEIGHT / 2;
        let met: Vec<i32> = self
            .ends()
            .iter()
            .filter(|(end, _)| self.machine.says(name, end).is_some())
            .map(|(_, r)| r.middle())
            .collect();
        let Some(last) = met.last() else { return Ok(()) };
        writeln!(out, "<path class=\"line\" d=\"M{} {y}H{last}\"/>", rect.right())?;
        met.iter().try_for_each(|x| writeln!(out, "<circle class=\"dot\" cx=\"{x}\" cy=\"{y}\" r=\"4\"/>"))
    }

    /// Where a state's detours leave and arrive, from the top: those upward, its own, those downward.
    fn slots(&self, row: usize) -> Vec<(usize, bool)> {
        let mut slots: Vec<((i32, i32), usize, bool)> = Vec::new();
        for (n, one) in self.detours.iter().enumerate() {
            for (here, other, leaves) in [(one.from, one.to, true), (one.to, one.from, false)] {
                if here == row {
                    let order = match other.cmp(&row) {
                        std::cmp::Ordering::Less => (0, one.lane),
                        std::cmp::Ordering::Equal => (1, i32::from(!leaves)),
                        std::cmp::Ordering::Greater => (2, -one.lane),
                    };
                    slots.push((order, n, leaves));
                }
            }
        }
        slots.sort();
        slots.into_iter().map(|(_, n, leaves)| (n, leaves)).collect()
    }

    fn slot(&self, row: usize, n: usize, leaves: bool) -> i32 {
        let slots = self.slots(row);
        let count = i32::try_from(slots.len()).unwrap_or(0);
        let place = slots.iter().position(|slot| *slot == (n, leaves)).unwrap_or(0);
        self.of_column(row).y + BOX_HEIGHT * (i32::try_from(place).unwrap_or(0) + 1) / (count + 1)
    }

    /// Those that leave the state at `row`.
    fn write_detours(&self, out: &mut String, row: usize) -> fmt::Result {
        for (n, one) in self.detours.iter().enumerate().filter(|(_, one)| one.from == row) {
            let (leave, arrive) = (self.slot(row, n, true), self.slot(one.to, n, false));
            let x = self.left - if one.span() == 0 { 16 } else { 28 + one.lane * LANE };
            write_arrow(out, &format!("M{} {leave}H{x}V{arrive}H{}", self.left, self.left - 2))?;
            write_label(out, x - 6, (leave + arrive) / 2 + 4, "end", one.label)?;
        }
        Ok(())
    }

    /// The ends' lines, from the first state that can have them, and what follows an end.
    fn write_ends(&self, out: &mut String) -> fmt::Result {
        for (name, rect) in self.ends() {
            let x = rect.middle();
            let from = |row: &usize| self.machine.says(self.column[*row], name);
            let rows: Vec<usize> = (0..self.column.len()).filter(|row| from(row).is_some()).collect();
            let Some(first) = rows.first() else { continue };
            let mut labels: Vec<&str> = rows.iter().filter_map(from).collect();
            labels.dedup();
            write_arrow(out, &format!("M{x} {}V{}", self.of_column(*first).y + BOX_HEIGHT / 2, rect.y - 2))?;
            write_label(out, x + 8, rect.y - 10, "start", &labels.join(", "))?;
        }
        for (name, rect) in self.afters() {
            let y = rect.y - 30;
            for (end, from) in self.ends() {
                let Some(label) = self.machine.says(end, name) else { continue };
                let (x, bottom) = (from.middle(), from.y + BOX_HEIGHT);
                if x == rect.middle() {
                    write_arrow(out, &format!("M{x} {bottom}V{}", rect.y - 2))?;
                    write_label(out, x + 8, rect.y - 10, "start", label)?;
                } else {
                    writeln!(out, "<path class=\"line\" d=\"M{x} {bottom}V{y}H{}\"/>", rect.middle())?;
                    writeln!(out, "<circle class=\"dot\" cx=\"{}\" cy=\"{y}\" r=\"4\"/>", rect.middle())?;
                }
            }
            if let Some(label) = self.machine.says(name, name) {
                let (x, top) = (rect.x, rect.y + 14);
                write_arrow(out, &format!("M{x} {top}h-16v24h14"))?;
                write_label(out, x - 4, rect.y + BOX_HEIGHT + 14, "start", &format!("{label}, again"))?;
            }
        }
        Ok(())
    }
}

fn write_box(out: &mut String, name: &str, rect: Rect, class: &str) -> fmt::Result {
    let Rect { x, y, width } = rect;
    writeln!(out, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX_HEIGHT}\" rx=\"8\"/>")?;
    writeln!(out, "<text class=\"name\" x=\"{}\" y=\"{}\">{name}</text>", rect.middle(), y + BOX_HEIGHT / 2 + 5)
}

fn write_arrow(out: &mut String, path: &str) -> fmt::Result {
    writeln!(out, "<path class=\"line\" marker-end=\"url(#tip)\" d=\"{path}\"/>")
}

fn write_label(out: &mut String, x: i32, y: i32, anchor: &str, label: &str) -> fmt::Result {
    writeln!(out, "<text class=\"label\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{label}</text>")
}

/// Colours of the site, which is light or dark as the reader's system is; so is a code host.
pub const STYLE: &str = "<style>
text { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif; fill: #1a2230; }
.ground { fill: #ffffff; }
.name { font-size: 14px; font-weight: 600; text-anchor: middle; }
.label { font-size: 12px; fill: #4f5b6c; }
.line { fill: none; stroke: #1f5596; stroke-width: 1.5; }
.dot, .tip { fill: #1f5596; }
.state { fill: #e6eaf0; stroke: #4f5b6c; }
.end { fill: #ffffff; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
text { fill: #e7ebf1; }
.ground { fill: #1a2029; }
.label { fill: #a9b4c3; }
.line { stroke: #8dbcf5; }
.dot, .tip { fill: #8dbcf5; }
.state { fill: #2b3442; stroke: #a9b4c3; }
.end { fill: #12161d; }
}
</style>
<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs>
<rect class=\"ground\" width=\"100%\" height=\"100%\"/>";
