//! The columns that formats read, and the names under which a file has them.

use std::fmt::Write;

use super::kind::Kind;
use super::read_config::ReadConfig;

/// How many columns there are.
pub(super) const N_COLUMNS: usize = 9;

/// A column that some format reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Prompt,
    Chosen,
    Rejected,
    Conversations,
    System,
    PromptIds,
    ChosenIds,
    RejectedIds,
    Text,
}

impl Column {
    const ALL: [Self; N_COLUMNS] = [
        Self::Prompt,
        Self::Chosen,
        Self::Rejected,
        Self::Conversations,
        Self::System,
        Self::PromptIds,
        Self::ChosenIds,
        Self::RejectedIds,
        Self::Text,
    ];

    const fn default_name(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Chosen => "chosen",
            Self::Rejected => "rejected",
            Self::Conversations => "conversations",
            Self::System => "system",
            Self::PromptIds => "prompt_ids",
            Self::ChosenIds => "chosen_ids",
            Self::RejectedIds => "rejected_ids",
            Self::Text => "text",
        }
    }
}

/// The name of each [`Column`] in the files at hand.
#[derive(Debug, Clone)]
pub(super) struct ColumnNames([Option<String>; N_COLUMNS]);

impl ColumnNames {
    /// The default names with those of `config` in their place.
    pub(super) fn new(config: &ReadConfig) -> Self {
        let mut names = Column::ALL.map(|column| Some(column.default_name().to_owned()));
        let overrides = [
            (Column::Prompt, Column::PromptIds, &config.prompt_column),
            (Column::Chosen, Column::ChosenIds, &config.chosen_column),
            (Column::Rejected, Column::RejectedIds, &config.rejected_column),
        ];
        for (column, ids, name) in overrides {
            if let Some(name) = name {
                // A column that was named is the one meant, whether it turns out to hold text or ids.
                names[column as usize] = Some(name.clone());
                names[ids as usize] = None;
            }
        }
        if let Some(name) = &config.text_column {
            names[Column::Text as usize] = Some(name.clone());
        }
        Self(names)
    }

    /// The column that has this name in the files.
    pub(super) fn column(&self, name: &str) -> Option<Column> {
        Column::ALL.into_iter().find(|&column| self.0[column as usize].as_deref() == Some(name))
    }

    /// The name of `column` in the files.
    pub(super) fn name(&self, column: Column) -> &str {
        self.0[column as usize].as_deref().unwrap_or(column.default_name())
    }
}

/// A column of a file that fits no format, for the error message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundColumn {
    /// Its name.
    pub name: String,
    /// What the first readable row holds there; `None` for columns that no format reads.
    pub kind: Option<Kind>,
}

impl FoundColumn {
    /// Names in backticks with what they hold, separated by commas.
    pub(crate) fn list(columns: &[Self]) -> String {
        if columns.is_empty() {
            return "no columns".to_owned();
        }
        let mut list = String::new();
        for (i, column) in columns.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            let kind = column.kind.map_or_else(String::new, |kind| format!(" ({kind})"));
            write!(list, "{separator}`{}`{kind}", column.name).expect("a String takes every write");
        }
        list
    }
}
