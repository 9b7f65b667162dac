//! The stages that run no model, by what their records say.

use std::path::Path;

use sepo_data::WeightColumns;

use super::again::{Again, Done, settings};
use super::inputs::Inputs;
use crate::command::data_convert::{self, ConvertJob};
use crate::command::data_generate;
use crate::command::data_split::{self, SplitJob};
use crate::command::weights::export::{self, ExportJob};
use crate::command::weights::import::{self, ImportJob};
use crate::command::weights::project::{self, ProjectJob};
use crate::provenance::{
    ConvertSettings, ExportSettings, GenerateSettings, ImportSettings, ProjectSettings, SplitSettings,
    Subject,
};

impl Again<'_> {
    /// The one part that `subject` is.
    pub(super) fn split(&self, subject: &Subject, inputs: &Inputs<'_>, out: &Path) -> Done {
        let SplitSettings { read, eval_fraction } = settings(subject)?;
        let is_eval = subject.record.part.as_deref() == Some("eval");
        data_split::make(&SplitJob {
            data: inputs.all("data"),
            read: &read,
            eval_fraction,
            memory: self.memory,
            on_change: self.on_change,
            train: (!is_eval).then_some(out),
            eval: is_eval.then_some(out),
        })?;
        Ok(Ok(()))
    }

    pub(super) fn convert(&self, subject: &Subject, inputs: &Inputs<'_>, out: &Path) -> Done {
        let ConvertSettings { read } = settings(subject)?;
        let (data, on_change) = (inputs.all("data"), self.on_change);
        data_convert::make(&ConvertJob { data, read: &read, on_change, out })?;
        Ok(Ok(()))
    }

    pub(super) fn generate(&self, subject: &Subject, out: &Path) -> Done {
        let recorded: GenerateSettings = settings(subject)?;
        data_generate::make(&recorded, subject.record.seed.unwrap_or_default(), out)?;
        Ok(Ok(()))
    }

    pub(super) fn export(&self, subject: &Subject, inputs: &Inputs<'_>, out: &Path) -> Done {
        let ExportSettings { spans } = settings(subject)?;
        export::make(&ExportJob {
            selection: &inputs.one("selection")?,
            spans,
            scores: inputs.maybe("scores").as_deref(),
            on_change: self.on_change,
            out,
        })?;
        Ok(Ok(()))
    }

    pub(super) fn import(&self, subject: &Subject, inputs: &Inputs<'_>, out: &Path) -> Done {
        let recorded: ImportSettings = settings(subject)?;
        import::make(&ImportJob {
            weights: &inputs.one("weights")?,
            columns: WeightColumns {
                row: recorded.row,
                chosen: recorded.chosen_weights,
                rejected: recorded.rejected_weights,
            },
            labels: recorded.labels,
            config: recorded.import,
            tokenizer: &inputs.one("tokenizer")?,
            data: inputs.all("data"),
            read: &recorded.read,
            tokens: inputs.tokens(recorded.tokens)?,
            on_change: self.on_change,
            out,
        })?;
        Ok(Ok(()))
    }

    pub(super) fn project(&self, subject: &Subject, inputs: &Inputs<'_>, out: &Path) -> Done {
        let ProjectSettings { read, tokens, how } = settings(subject)?;
        project::make(&ProjectJob {
            selection: &inputs.one("selection")?,
            scores: Some(&inputs.one("scores")?),
            oracle: inputs.maybe("oracle").as_deref(),
            tokenizer: &inputs.one("tokenizer")?,
            how,
            data: inputs.all("data"),
            read: &read,
            tokens: inputs.tokens(tokens)?,
            on_change: self.on_change,
            out,
        })?;
        Ok(Ok(()))
    }
}
