//! What something was made from, where it is now.

use std::path::PathBuf;

use sepo_data::{TemplateChoice, TokenizeConfig};

use crate::exit::{CliError, Exit};
use crate::provenance::{Located, OnChange, Subject, differences};

/// The inputs of a subject by their role, all of them there and as recorded, or accepted.
pub(super) struct Inputs<'a> {
    subject: &'a Subject,
    located: Vec<(&'a str, Located)>,
}

impl<'a> Inputs<'a> {
    pub(super) fn find(subject: &'a Subject, on_change: OnChange) -> Result<Self, CliError> {
        let record = &subject.record;
        let made_on_the_way =
            |role: &str| record.stage == "quickstart" || record.stage == "oracle" && role == "start";
        let mut located = Vec::new();
        for input in record.inputs.iter().filter(|input| !made_on_the_way(&input.role)) {
            let role = input.role.as_str();
            let (given, made) = (input.given.join(" "), subject.path.display());
            let Some(found) = input.locate(subject.dir(), &record.settings)? else {
                return Err(CliError::new(
                    Exit::Data,
                    format!("the {role} `{given}`, which `{made}` was made from, is not there"),
                    "bring it back to where it lay; `sepo-cli lineage` shows its hashes",
                ));
            };
            let differences = differences(&input.files, &found.files);
            if !differences.is_empty() {
                let what =
                    format!("the {role} `{}` is not what `{made}` was made from", found.paths.join(" "));
                let differences = differences.iter().map(ToString::to_string).collect();
                on_change.decide(&what, (role, &given), differences)?;
            }
            located.push((role, found));
        }
        Ok(Self { subject, located })
    }

    /// Files, folders and patterns of an input; none where the stage had no such.
    pub(super) fn all(&self, role: &str) -> &[String] {
        self.located.iter().find(|(name, _)| *name == role).map_or(&[], |(_, found)| &found.paths)
    }

    /// An input that is one folder or file, where the stage had it.
    pub(super) fn maybe(&self, role: &str) -> Option<PathBuf> {
        self.all(role).first().map(PathBuf::from)
    }

    /// An input that the stage cannot be without.
    pub(super) fn one(&self, role: &str) -> Result<PathBuf, CliError> {
        self.maybe(role).ok_or_else(|| {
            CliError::new(
                Exit::Data,
                format!("the record of `{}` names no {role}", self.subject.path.display()),
                "it is damaged, or of another version",
            )
        })
    }

    /// How pairs become ids, by the template that lies here.
    pub(super) fn tokens(&self, mut tokens: TokenizeConfig) -> Result<TokenizeConfig, CliError> {
        if let TemplateChoice::File(path) = &mut tokens.template {
            *path = self.one("chat-template")?;
        }
        Ok(tokens)
    }
}
