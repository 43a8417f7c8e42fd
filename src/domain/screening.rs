//! Screening: whether somebody is on a list of names that nothing may be paid to. Owns what is asked and answered, how names are compared,
//! and the form of a list; where a list comes from is elsewhere.
//!
//! Names are compared as people write them: without case, diacritics and punctuation, in whichever order their parts stand.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Of a name that has so few parts, a part alone names nobody.
const PARTS_MIN: usize = 2;
const LINE_CHARS_MAX: usize = 300;

/// Who is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The card holder, as typed.
    pub name: &'a str,
    /// The partner's own name for the customer.
    pub reference: &'a str,
    /// The customer's, ISO 3166-1 alpha-2.
    pub country: Option<&'a str>,
    /// The card issuer's, ISO 3166-1 alpha-2.
    pub issuer_country: Option<&'a str>,
}

/// What a screening says. `why` names the list and the line, never the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Pass,
    /// A person has to look.
    Review {
        why: String,
    },
    Refuse {
        why: String,
    },
}

/// Nobody could tell: never taken for a pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the screening is unavailable: {0}")]
pub struct Unavailable(pub String);

/// The parts of a name, sorted: lower case, without diacritics; an apostrophe joins, all else that is neither letter nor digit parts.
///
/// ```
/// use landfall::domain::screening::parts;
///
/// assert_eq!(parts("Müller-Lüdenscheidt, Jürgen"), parts("JURGEN MULLER LUDENSCHEIDT"));
/// assert_eq!(parts("Seán O’Brien"), ["obrien", "sean"]);
/// ```
pub fn parts(name: &str) -> Vec<String> {
    let mut parts = in_order(name);
    parts.sort();
    parts
}

fn in_order(name: &str) -> Vec<String> {
    let mut folded = String::with_capacity(name.len());
    for c in name.nfkd().filter(|c| !is_combining_mark(*c)) {
        match c {
            // Letters that have no decomposition.
            'ß' | 'ẞ' => folded.push_str("ss"),
            'æ' | 'Æ' => folded.push_str("ae"),
            'œ' | 'Œ' => folded.push_str("oe"),
            'ø' | 'Ø' => folded.push('o'),
            'ł' | 'Ł' => folded.push('l'),
            'đ' | 'Đ' | 'ð' | 'Ð' => folded.push('d'),
            'þ' | 'Þ' => folded.push_str("th"),
            'ı' => folded.push('i'),
            '\'' | '’' | '‘' | 'ʼ' | '`' | '´' => {}
            c if c.is_alphanumeric() => folded.extend(c.to_lowercase().filter(|c| !is_combining_mark(*c))),
            _ => folded.push(' '),
        }
    }
    folded.split_whitespace().map(str::to_owned).collect()
}

/// A list of names and references, with where it is from.
#[derive(Clone, Debug, Default)]
pub struct NameList {
    pub source: String,
    /// Of which day, as the file says.
    pub date: String,
    /// By their sorted parts, with the line.
    names: BTreeMap<Vec<String>, usize>,
    /// By their letters without gaps, so that "O Brien" is "OBrien".
    squeezed: BTreeMap<String, usize>,
    /// Names by each of their parts.
    by_part: BTreeMap<String, BTreeSet<Vec<String>>>,
    references: BTreeMap<String, usize>,
}

/// What is wrong with a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameListError {
    #[error("line {line}: {what}")]
    Line { line: usize, what: &'static str },
    #[error("a comment line `# {0}: ...` is missing")]
    Undated(&'static str),
}

impl NameList {
    /// Reads a list: one name a line, or `reference: ...` for a customer by the partner's own name. Lines that begin with `#` are comments;
    /// `# Source: ...` and `# Date: ...` are asked for, since a list of nobody knows when is worse than none.
    pub fn parse(text: &str) -> Result<Self, NameListError> {
        let said = |name: &'static str| {
            let comments = text.lines().filter_map(|line| line.trim().strip_prefix('#'));
            let found = comments.filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name);
            let found = found.map(|(_, said)| said.trim().to_owned()).filter(|said| !said.is_empty());
            found.ok_or(NameListError::Undated(name))
        };
        let mut list = Self { source: said("Source")?, date: said("Date")?, ..Self::default() };
        for (line, text) in text.lines().enumerate().map(|(n, text)| (n + 1, text.trim())) {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            list.add(line, text).map_err(|what| NameListError::Line { line, what })?;
        }
        Ok(list)
    }

    fn add(&mut self, line: usize, text: &str) -> Result<(), &'static str> {
        if text.chars().count() > LINE_CHARS_MAX {
            return Err("is longer than 300 characters");
        }
        if let Some(reference) = text.strip_prefix("reference:") {
            let reference = reference.trim();
            if reference.is_empty() {
                return Err("names no reference");
            }
            self.references.insert(reference.to_owned(), line);
            return Ok(());
        }
        let in_order = in_order(text);
        if in_order.is_empty() {
            return Err("names nobody");
        }
        self.squeezed.insert(in_order.concat(), line);
        let mut parts = in_order;
        parts.sort();
        for part in &parts {
            self.by_part.entry(part.clone()).or_default().insert(parts.clone());
        }
        self.names.insert(parts, line);
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.names.len() + self.references.len()
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.references.is_empty()
    }

    /// Refused: the reference or the whole name is listed. For a person: a listed name is part of the given one, or the given one part of a
    /// listed name, by two parts at least.
    pub fn screen(&self, subject: &Subject<'_>) -> Answer {
        if let Some(line) = self.references.get(subject.reference) {
            return Answer::Refuse { why: self.why(*line, "the reference is") };
        }
        let in_order = in_order(subject.name);
        let squeezed = self.squeezed.get(&in_order.concat());
        let mut given = in_order;
        given.sort();
        if let Some(line) = self.names.get(&given).or(squeezed) {
            return Answer::Refuse { why: self.why(*line, "the name is") };
        }
        let candidates = given.iter().filter_map(|part| self.by_part.get(part)).flatten();
        let near = candidates.filter(|listed| is_part_of(listed, &given) || is_part_of(&given, listed)).min();
        match near.and_then(|listed| self.names.get(listed)) {
            Some(line) => Answer::Review { why: self.why(*line, "a name like it is") },
            None => Answer::Pass,
        }
    }

    fn why(&self, line: usize, what: &str) -> String {
        format!("{what} on the list of {} ({}), line {line}", self.source, self.date)
    }
}

/// Whether all of `part` stands in `whole`, each as often; both are sorted.
fn is_part_of(part: &[String], whole: &[String]) -> bool {
    if part.len() < PARTS_MIN {
        return false;
    }
    let mut rest = whole.iter();
    part.iter().all(|wanted| rest.any(|found| found == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# Source: a test\n# Date: 2026-11-22\n";

    fn list(lines: &str) -> NameList {
        NameList::parse(&format!("{HEAD}{lines}")).unwrap()
    }

    fn screened(list: &NameList, name: &str) -> Answer {
        list.screen(&Subject { name, reference: "alice", country: None, issuer_country: None })
    }

    #[test]
    fn a_name_is_found_however_it_is_written() {
        let list = list("Łukasz Żółć-Groß\nSeán O’Brien\nМюллер Юрий\nJosé  María  de la Cruz\n");
        for name in [
            "LUKASZ ZOLC GROSS",
            "groß, łukasz żółć",
            "O'BRIEN SEAN",
            "sean o brien",
            "SEÁN OBRIEN",
            "ЮРИЙ МЮЛЛЕР",
            "DE LA CRUZ, JOSE MARIA",
            "Jose\u{301} Mari\u{301}a de-la-Cruz",
        ] {
            assert!(matches!(screened(&list, name), Answer::Refuse { .. }), "{name}: {:?}", screened(&list, name));
        }
    }

    #[test]
    fn a_name_like_a_listed_one_is_for_a_person() {
        let list = list("Ivan Petrovich Sidorov\nMadonna\n");
        for name in ["IVAN SIDOROV", "Ivan Petrovich Sidorov Jr", "petrovich ivan"] {
            assert!(matches!(screened(&list, name), Answer::Review { .. }), "{name}");
        }
        // One part in common is no likeness, and a part is there as often as it is said.
        for name in ["IVAN IVANOV", "SIDOROV", "IVAN IVAN", "MADONNA CICCONE", "ALICE EXAMPLE", "", "  "] {
            assert_eq!(screened(&list, name), Answer::Pass, "{name:?}");
        }
        assert!(matches!(screened(&list, "madonna"), Answer::Refuse { .. }));
    }

    #[test]
    fn a_reference_is_refused_as_it_is_written_and_the_answer_names_nobody() {
        let list = list("reference: alice\n");
        let why = "the reference is on the list of a test (2026-11-22), line 3".to_owned();
        assert_eq!(screened(&list, "Somebody Else"), Answer::Refuse { why });
        let other = Subject { name: "Somebody Else", reference: "Alice", country: None, issuer_country: None };
        assert_eq!(list.screen(&other), Answer::Pass);
    }

    #[test]
    fn a_list_without_source_or_date_or_with_a_line_of_nothing_is_refused() {
        let refused = |text: &str| NameList::parse(text).unwrap_err();
        assert_eq!(refused("# Date: x\nA B\n"), NameListError::Undated("Source"));
        assert_eq!(refused("# Source: x\n# Date:\nA B\n"), NameListError::Undated("Date"));
        assert!(matches!(refused(&format!("{HEAD}---\n")), NameListError::Line { line: 3, .. }));
        assert!(matches!(refused(&format!("{HEAD}reference:\n")), NameListError::Line { line: 3, .. }));
        assert!(NameList::parse(HEAD).unwrap().is_empty());
        assert_eq!(list("A B\nreference: c\n").len(), 2);
    }
}
