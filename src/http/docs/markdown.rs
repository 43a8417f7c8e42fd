//! Markdown of the repository as HTML of the site: headings that can be pointed at, code with its language, tables and pictures that
//! scroll by themselves, and links that lead to the site's own addresses. What isn't on the site isn't linked. Knows no HTTP.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// A heading that can be pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    pub level: u8,
    /// As code hosts make it of the text: `exactly-once`.
    pub id: String,
    pub text: String,
}

/// A page as HTML, without what stands around it.
pub struct Rendered {
    pub html: String,
    /// All but the title, in order.
    pub headings: Vec<Heading>,
    /// Of its first heading of the first level.
    pub title: String,
}

/// Where links and pictures lead.
pub trait Addresses {
    /// The site's address of a file of the repository; `None`: it isn't on the site.
    fn page(&self, file: &str) -> Option<String>;
    /// The same of a picture.
    fn picture(&self, file: &str) -> Option<String>;
}

/// Renders the text of `file`, a path from the repository's root.
pub fn render(text: &str, file: &str, addresses: &impl Addresses) -> Rendered {
    let mut page = Page { file, addresses, headings: Vec::new(), ids: BTreeMap::new(), title: String::new() };
    let events: Vec<Event<'_>> = Parser::new_ext(text, Options::ENABLE_TABLES).collect();
    let mut shown = Vec::with_capacity(events.len());
    let mut at = 0;
    while let Some(event) = events.get(at) {
        let end = page.take(&events, at, &mut shown);
        debug_assert!(end > at, "{event:?}");
        at = end;
    }
    let mut out = String::with_capacity(text.len() * 2);
    html::push_html(&mut out, shown.into_iter());
    Rendered { html: out, headings: page.headings, title: page.title }
}

/// The id that code hosts give a heading of this text: lower case, words joined by hyphens, other signs left out.
pub fn slug(text: &str) -> String {
    let kept = text.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// A path without `.` and `..`, and with slashes.
pub fn plain_path(path: &Path) -> String {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            Component::Normal(name) => plain.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    plain.to_string_lossy().into_owned()
}

struct Page<'a, A> {
    file: &'a str,
    addresses: &'a A,
    headings: Vec<Heading>,
    /// How often each id was asked for.
    ids: BTreeMap<String, u32>,
    title: String,
}

impl<A: Addresses> Page<'_, A> {
    /// Takes the event at `at`, or all until its end, and says where to go on.
    fn take<'e>(&mut self, events: &[Event<'e>], at: usize, out: &mut Vec<Event<'e>>) -> usize {
        let html = |text: String| Event::Html(CowStr::from(text));
        match &events[at] {
            Event::Start(Tag::Heading { level, .. }) => return self.heading(*level, events, at, out),
            Event::Start(Tag::CodeBlock(kind)) => {
                out.push(html(code_opens(kind)));
            }
            Event::End(TagEnd::CodeBlock) => out.push(html("</code></pre></figure>\n".to_owned())),
            Event::Start(Tag::Table(columns)) => {
                out.push(html(format!(
                    "<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"{}\">",
                    self.here()
                )));
                out.push(Event::Start(Tag::Table(columns.clone())));
                let columns: String = long_columns(&events[at..]).iter().map(|is_long| col(*is_long)).collect();
                out.push(html(format!("<colgroup>{columns}</colgroup>")));
            }
            Event::End(TagEnd::Table) => {
                out.push(Event::End(TagEnd::Table));
                out.push(html("</div>\n".to_owned()));
            }
            Event::Start(Tag::Image { dest_url, .. }) => {
                let end = end_of(events, at, TagEnd::Image);
                out.push(Event::InlineHtml(self.picture(dest_url, &text_of(&events[at..end])).into()));
                return end + 1;
            }
            Event::Start(Tag::Link { dest_url, .. }) => match self.target(dest_url) {
                Some(target) => out.push(Event::InlineHtml(format!("<a href=\"{}\">", escaped(&target)).into())),
                None => out.push(Event::InlineHtml("<span>".into())),
            },
            Event::End(TagEnd::Link) => {
                out.push(Event::InlineHtml(closes_link(&events[..at], |to| self.target(to)).into()));
            }
            // Notes to those who edit the file.
            Event::Html(_) | Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => {}
            Event::InlineHtml(text) if &**text != "<br>" => {}
            other => out.push(other.clone()),
        }
        at + 1
    }

    fn heading<'e>(&mut self, level: HeadingLevel, events: &[Event<'e>], at: usize, out: &mut Vec<Event<'e>>) -> usize {
        let end = end_of(events, at, TagEnd::Heading(level));
        let text = text_of(&events[at..end]);
        let mut id = slug(&text);
        let count = self.ids.entry(id.clone()).or_default();
        if *count > 0 {
            _ = write!(id, "-{count}");
        }
        *count += 1;
        let is_title = level == HeadingLevel::H1 && self.title.is_empty();
        out.push(Event::Html(format!("<{level} id=\"{}\">", escaped(&id)).into()));
        for inner in at + 1..end {
            self.take(events, inner, out);
        }
        if is_title {
            self.title = text;
        } else {
            let label = escaped(&text);
            let anchor =
                format!(" <a class=\"anchor\" href=\"#{}\" aria-label=\"Link to: {label}\">#</a>", escaped(&id));
            out.push(Event::Html(anchor.into()));
            self.headings.push(Heading { level: level as u8, id, text });
        }
        out.push(Event::Html(format!("</{level}>\n").into()));
        end + 1
    }

    /// What a table or a picture is about, as a label: the heading that it stands under.
    fn here(&self) -> String {
        escaped(self.headings.last().map_or(&self.title, |heading| &heading.text))
    }

    /// The link to what `to` names, as seen from this file.
    fn target(&self, to: &str) -> Option<String> {
        if to.starts_with('#') || to.starts_with("https://") || to.starts_with("http://") {
            return Some(to.to_owned());
        }
        let (path, fragment) = to.split_once('#').map_or((to, None), |(path, fragment)| (path, Some(fragment)));
        let address = self.addresses.page(&self.beside(path))?;
        Some(fragment.map_or(address.clone(), |fragment| format!("{address}#{fragment}")))
    }

    /// A diagram is a link to itself, since it may be wider than a screen.
    fn picture(&self, to: &str, about: &str) -> String {
        let Some(address) = self.addresses.picture(&self.beside(to)) else { return String::new() };
        let (address, about) = (escaped(&address), escaped(about));
        format!("<a class=\"picture\" href=\"{address}\"><img src=\"{address}\" alt=\"{about}\"></a>")
    }

    fn beside(&self, path: &str) -> String {
        plain_path(&Path::new(self.file).parent().unwrap_or(Path::new("")).join(path))
    }
}

/// The end of a link or of what stands for one, by how its beginning was taken.
fn closes_link(before: &[Event<'_>], target: impl Fn(&str) -> Option<String>) -> &'static str {
    let opened = before.iter().rev().find_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. }) => Some(dest_url),
        _ => None,
    });
    if opened.is_some_and(|to| target(to).is_some()) { "</a>" } else { "</span>" }
}

fn code_opens(kind: &CodeBlockKind<'_>) -> String {
    let language = match kind {
        CodeBlockKind::Fenced(info) => info.split([' ', ',']).next().unwrap_or_default(),
        CodeBlockKind::Indented => "",
    };
    let label = match language {
        "sh" => "Shell",
        "js" => "JavaScript",
        "json" => "JSON",
        "http" => "HTTP",
        "py" | "python" => "Python",
        "java" => "Java",
        "rust" => "Rust",
        "ts" => "TypeScript",
        "toml" => "TOML",
        _ => "Text",
    };
    format!("<figure class=\"code\"><figcaption>{label}</figcaption><pre tabindex=\"0\"><code>")
}

/// From how many characters on a cell's text is held to be sentences.
const LONG_CHARS: usize = 60;

/// Which columns of the table that begins here have sentences: they keep their width, and the table scrolls.
fn long_columns(events: &[Event<'_>]) -> Vec<bool> {
    let (mut long, mut column, mut chars) = (Vec::new(), 0, 0);
    for event in &events[..end_of(events, 0, TagEnd::Table)] {
        match event {
            Event::Start(Tag::TableHead | Tag::TableRow) => column = 0,
            Event::Text(text) | Event::Code(text) => chars += text.chars().count(),
            Event::End(TagEnd::TableCell) => {
                if long.len() == column {
                    long.push(false);
                }
                long[column] |= chars > LONG_CHARS;
                (column, chars) = (column + 1, 0);
            }
            _ => {}
        }
    }
    long
}

const fn col(is_long: bool) -> &'static str {
    if is_long { "<col class=\"long\">" } else { "<col>" }
}

/// Where what begins at `at` ends.
fn end_of(events: &[Event<'_>], at: usize, end: TagEnd) -> usize {
    let length = events[at..].iter().position(|event| *event == Event::End(end));
    at + length.unwrap_or_default()
}

fn text_of(events: &[Event<'_>]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(&**text),
        Event::SoftBreak => Some(" "),
        _ => None,
    });
    texts.collect()
}

/// For texts and attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Site;

    impl Addresses for Site {
        fn page(&self, file: &str) -> Option<String> {
            (file == "docs/apps.md").then(|| "/docs/apps".to_owned())
        }

        fn picture(&self, file: &str) -> Option<String> {
            (file == "docs/images/a.svg").then(|| "/docs/images/a.svg".to_owned())
        }
    }

    fn of(text: &str) -> String {
        render(text, "docs/here.md", &Site).html
    }

    #[test]
    fn headings_have_the_ids_that_code_hosts_give_them() {
        for (text, id) in [
            ("Tokens for your customers", "tokens-for-your-customers"),
            ("The partners' API (`/v1/`)", "the-partners-api-v1"),
            ("Error-codes, all_of them", "error-codes-all_of-them"),
        ] {
            assert_eq!(render(&format!("# T\n\n## {text}\n"), "docs/here.md", &Site).headings[0].id, id);
        }
        let twice = render("# T\n\n## A\n\n## A\n", "docs/here.md", &Site);
        assert_eq!(twice.headings.iter().map(|h| h.id.as_str()).collect::<Vec<_>>(), ["a", "a-1"]);
        assert_eq!(twice.title, "T");
        assert!(twice.html.contains("<h2 id=\"a-1\">A <a class=\"anchor\" href=\"#a-1\""), "{}", twice.html);
    }

    #[test]
    fn links_lead_to_the_site_or_nowhere() {
        for (markdown, html) in [
            ("[a](apps.md)", "<a href=\"/docs/apps\">a</a>"),
            ("[a](apps.md#b)", "<a href=\"/docs/apps#b\">a</a>"),
            ("[a](../docs/apps.md)", "<a href=\"/docs/apps\">a</a>"),
            ("[`a`](#b)", "<a href=\"#b\"><code>a</code></a>"),
            ("[a](https://b.example/c)", "<a href=\"https://b.example/c\">a</a>"),
            ("[a](security.md)", "<span>a</span>"),
            ("[a](javascript:b)", "<span>a</span>"),
            ("[a](//b.example)", "<span>a</span>"),
        ] {
            assert_eq!(of(markdown), format!("<p>{html}</p>\n"), "{markdown}");
        }
    }

    #[test]
    fn pictures_are_the_sites_own() {
        assert!(of("![A \"b\"](images/a.svg)").contains("<img src=\"/docs/images/a.svg\" alt=\"A &quot;b&quot;\">"));
        assert_eq!(of("![a](https://b.example/c.png)"), "<p></p>\n");
    }

    #[test]
    fn markup_is_left_out_but_for_line_breaks_in_tables() {
        assert_eq!(of("<!-- a -->\n\nb"), "<p>b</p>\n");
        assert_eq!(of("a<script>b</script>"), "<p>ab</p>\n");
        assert!(of("| a |\n|---|\n| b<br>c |\n").contains("<td>b<br>c</td>"));
    }

    #[test]
    fn code_says_its_language_and_tables_scroll() {
        assert!(of("```sh\na < b\n```\n").starts_with(
            "<figure class=\"code\"><figcaption>Shell</figcaption><pre tabindex=\"0\"><code>a &lt; b\n</code></pre></figure>"
        ));
        let table = of("## T\n\n| a |\n|---|\n| b |\n");
        assert!(table.contains("role=\"group\" aria-label=\"T\"><table><colgroup><col></colgroup>"), "{table}");
        let long = of(&format!("| a | b |\n|---|---|\n| c | {} |\n", "word ".repeat(20)));
        assert!(long.contains("<colgroup><col><col class=\"long\"></colgroup>"), "{long}");
    }
}
