//! The `[vault]` section: where the key-encryption key is held, and how much of a card number stays in the clear.

use std::path::PathBuf;

use serde::Deserialize;

use super::Problems;
use crate::domain::card::IinDigits;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultSettings {
    /// Who holds the key-encryption key.
    pub provider: VaultProvider,
    /// How many leading digits of a card number are stored in the clear: 6 or 8.
    pub iin_digits: u32,
    pub file: KeyFileSettings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VaultProvider {
    File,
}

/// `[vault.file]`: a key file with mode 0600, outside the database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFileSettings {
    /// Relative to `data_dir`, or absolute.
    pub path: PathBuf,
    /// Whether a missing file is made, with development keys.
    pub generate_if_missing: bool,
}

impl VaultSettings {
    pub fn check(&self, live: bool, problems: &mut Problems) {
        if let Err(error) = IinDigits::try_from(self.iin_digits) {
            problems.add("vault.iin_digits", error.to_string());
        }
        match self.provider {
            VaultProvider::File => self.file.check(live, problems),
        }
    }

    /// [`VaultSettings::iin_digits`] as the domain has it. `check` has refused what is neither 6 nor 8; six show less.
    pub fn iin_kept(&self) -> IinDigits {
        IinDigits::try_from(self.iin_digits).unwrap_or(IinDigits::Six)
    }
}

impl KeyFileSettings {
    fn check(&self, live: bool, problems: &mut Problems) {
        if self.path.file_name().is_none() {
            problems.add("vault.file.path", "name a file");
        }
        if live && self.generate_if_missing {
            problems.add(
                "vault.file.generate_if_missing",
                "must be false in live mode: a generated key is for development; make one with `landfall keys generate`",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DEFAULT_TOML;

    fn settings(more: &str) -> Result<VaultSettings, config::ConfigError> {
        config::Config::builder()
            .add_source(config::File::from_str(DEFAULT_TOML, config::FileFormat::Toml))
            .add_source(config::File::from_str(more, config::FileFormat::Toml))
            .build()?
            .get("vault")
    }

    fn problems(more: &str, live: bool) -> Vec<String> {
        let mut problems = Problems::default();
        settings(more).unwrap().check(live, &mut problems);
        problems.0.into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn the_defaults_serve_test_mode_only() {
        assert_eq!(settings("").unwrap().iin_kept(), IinDigits::Six);
        assert_eq!(problems("", false), Vec::<String>::new());
        assert_eq!(problems("", true), ["vault.file.generate_if_missing"]);
        assert_eq!(problems("vault.file.generate_if_missing = false", true), Vec::<String>::new());
    }

    #[test]
    fn an_iin_has_six_or_eight_digits() {
        for bad in ["vault.iin_digits = 7", "vault.iin_digits = 0", "vault.iin_digits = 262"] {
            assert_eq!(problems(bad, false), ["vault.iin_digits"]);
        }
        assert_eq!(problems("vault.iin_digits = 8", false), Vec::<String>::new());
        assert_eq!(settings("vault.iin_digits = 8").unwrap().iin_kept(), IinDigits::Eight);
    }

    #[test]
    fn a_key_file_without_a_name_is_refused() {
        assert_eq!(problems("vault.file.path = \"\"", false), ["vault.file.path"]);
        assert_eq!(problems("vault.file.path = \"..\"", false), ["vault.file.path"]);
    }

    #[test]
    fn bad_values_are_refused_by_their_name() {
        for (bad, name) in [
            ("vault.provider = \"env\"", "VaultProvider"),
            ("vault.file.pth = \"x\"", "pth"),
            ("vault.colour = 1", "colour"),
        ] {
            let error = settings(bad).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
