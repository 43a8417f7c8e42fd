//! Every link of the documentation leads somewhere: in the repository and on the site.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::list::sources;
use super::markdown::{self, Addresses, plain_path};
use super::site::{self, SITE};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Takes every link as it is written, as a code host does.
struct AsWritten;

impl Addresses for AsWritten {
    fn page(&self, file: &str) -> Option<String> {
        Some(format!("file:{file}"))
    }

    fn picture(&self, file: &str) -> Option<String> {
        Some(format!("file:{file}"))
    }
}

/// Every Markdown file that people read, from the root.
fn markdown_files() -> Vec<String> {
    let mut files = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned()];
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(Path::new(ROOT).join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "md") {
                files.push(plain_path(&path));
            }
        }
    }
    files
}

/// What stands in `name="..."`, as it is meant.
fn attributes<'a>(html: &'a str, name: &str) -> BTreeSet<String> {
    let mark = format!(" {name}=\"");
    html.split(mark.as_str())
        .skip(1)
        .map(|rest: &'a str| rest.split('"').next().unwrap().replace("&amp;", "&"))
        .collect()
}

#[test]
fn every_link_in_the_repository_leads_to_a_file_and_to_a_heading_of_it() {
    let files = markdown_files();
    assert!(files.len() > 25, "{files:?}");
    let rendered: BTreeMap<&str, String> = files
        .iter()
        .map(|file| {
            let text = fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
            (file.as_str(), markdown::render(&text, file, &AsWritten).html)
        })
        .collect();
    let (mut broken, mut looked_at) = (Vec::new(), 0);
    for (file, html) in &rendered {
        for link in attributes(html, "href").into_iter().chain(attributes(html, "src")) {
            let (path, fragment) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path.strip_prefix("file:") {
                Some(target) => target,
                None if path.is_empty() => file,
                None => continue,
            };
            looked_at += 1;
            let is_there = Path::new(ROOT).join(target).exists();
            let has_heading = fragment.is_empty()
                || rendered.get(target).is_some_and(|html| attributes(html, "id").contains(fragment));
            if !is_there || !has_heading {
                broken.push(format!("{file}: {link}"));
            }
        }
    }
    assert!(looked_at > 300, "{looked_at}");
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_link_of_the_site_leads_to_what_is_served() {
    let ids: BTreeMap<String, BTreeSet<String>> =
        SITE.iter().map(|(slug, page)| (super::list::address(slug), attributes(page.text(), "id"))).collect();
    for (slug, page) in SITE.iter() {
        let html = page.text();
        for link in attributes(html, "href").into_iter().chain(attributes(html, "src")) {
            let (path, fragment) = link.split_once('#').unwrap_or((&link, ""));
            let path = path.split('?').next().unwrap();
            let is_served = match path {
                "" => ids[&super::list::address(slug)].contains(fragment),
                "/docs/api/" | "/openapi.yaml" | "/docs/assets/docs.css" | "/docs/assets/icon.svg" => true,
                _ if path.starts_with("https://") => true,
                _ => match path.strip_prefix("/docs/images/") {
                    Some(name) => site::picture(name).is_some(),
                    None => ids.get(path).is_some_and(|ids| fragment.is_empty() || ids.contains(fragment)),
                },
            };
            assert!(is_served, "{slug}: {link}");
        }
    }
}

#[test]
fn pages_are_whole_and_load_nothing_from_elsewhere() {
    assert_eq!(SITE.len(), sources().count(), "two pages have one name");
    for (slug, page) in SITE.iter() {
        let html = page.text();
        assert_eq!(html.matches("<h1").count(), 1, "{slug}");
        for refused in ["<script", "<style", " style=", "src=\"http", "<iframe", " onclick"] {
            // As text it is escaped: only markup has these.
            assert!(!html.contains(refused), "{slug} has {refused}");
        }
        let ids: Vec<&str> = html.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{slug}: an id stands twice");
        assert!(html.len() < 190_000, "{slug} has {} bytes", html.len());
    }
}

/// What tells an attacker what was tried, and what runs inside, isn't served by what is attacked.
#[test]
fn pages_about_security_and_operation_are_not_on_the_site() {
    for slug in ["security", "penetration", "authorization", "keys", "staff", "torture", "dashboard", "adapters"] {
        assert!(!SITE.contains_key(slug), "{slug}");
    }
}
