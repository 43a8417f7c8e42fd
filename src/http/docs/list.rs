//! Which files of `docs/` are pages of the site, under what names and in what order. What isn't here isn't served: pages for those who run
//! an installation stay in the repository, above all what would help whoever attacks one.

/// A page: Markdown as it stands in the repository.
pub struct Source {
    /// Behind `/docs/`; the landing page's is empty.
    pub slug: &'static str,
    /// Where it lies in the repository.
    pub file: &'static str,
    /// In the list of pages. The page's own heading may say more.
    pub name: &'static str,
    pub text: &'static str,
}

/// A heading of the list of pages, and what stands under it.
pub struct Group {
    pub name: &'static str,
    pub pages: &'static [Source],
}

/// A picture that pages show.
pub struct Picture {
    pub name: &'static str,
    pub text: &'static str,
}

macro_rules! page {
    ($slug:literal, $file:literal, $name:literal) => {
        Source { slug: $slug, file: $file, name: $name, text: include_str!(concat!("../../../", $file)) }
    };
}

macro_rules! picture {
    ($name:literal) => {
        Picture { name: $name, text: include_str!(concat!("../../../docs/images/", $name)) }
    };
}

pub const GROUPS: &[Group] = &[
    Group {
        name: "Begin",
        pages: &[
            page!("", "docs/README.md", "Overview"),
            page!("start", "docs/start.md", "Start in five minutes"),
            page!("concepts", "docs/concepts.md", "Concepts"),
            page!("life", "docs/life.md", "Life of a payout"),
        ],
    },
    Group {
        name: "For exchanges",
        pages: &[
            page!("partners", "docs/partners.md", "The partners' API"),
            page!("webhooks", "docs/webhooks.md", "Webhooks"),
            page!("routing", "docs/routing.md", "Routing"),
        ],
    },
    Group {
        name: "For apps",
        pages: &[page!("apps", "docs/apps.md", "The wallet API"), page!("migration", "docs/migration.md", "Migration")],
    },
    Group {
        name: "Reference",
        pages: &[
            page!("errors", "docs/errors.md", "Errors"),
            page!("states", "docs/states.md", "States"),
            page!("sandbox", "docs/sandbox.md", "The sandbox"),
            page!("clients", "docs/clients.md", "Generated clients"),
        ],
    },
    Group {
        name: "Changes",
        pages: &[
            page!("changes", "docs/changes.md", "What may change"),
            page!("changelog", "CHANGELOG.md", "Changelog"),
        ],
    },
];

pub const PICTURES: &[Picture] = &[
    picture!("concepts.svg"),
    picture!("offer-states.svg"),
    picture!("request-states.svg"),
    picture!("payout-states.svg"),
    picture!("money.svg"),
];

/// Every page, in the order of the list.
pub fn sources() -> impl Iterator<Item = &'static Source> {
    GROUPS.iter().flat_map(|group| group.pages)
}

/// The address of the page that a file of the repository is, if it is one.
pub fn address_of(file: &str) -> Option<String> {
    if file == "openapi.yaml" {
        return Some("/openapi.yaml".to_owned());
    }
    sources().find(|source| source.file == file).map(|source| address(source.slug))
}

/// `/docs`, `/docs/apps`.
pub fn address(slug: &str) -> String {
    if slug.is_empty() { "/docs".to_owned() } else { format!("/docs/{slug}") }
}
