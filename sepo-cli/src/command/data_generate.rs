//! `sepo-cli data generate`

use std::path::Path;

use sepo_data::PairContent;
use sepo_data::format::PairWriter;
use sepo_data::planted::{PlantedConfig, PlantedPair, Temperature, planted_pairs};
use serde::Serialize;

use crate::args::GenerateDataArgs;
use crate::console::{grouped, result};
use crate::exit::{CliError, Exit};
use crate::memory::ByteSize;
use crate::provenance::{self, GenerateSettings, Record, to_value};

/// What the command came to.
#[derive(Debug, Serialize)]
pub(crate) struct Generated {
    pairs: u64,
    /// Bytes of prompts and responses.
    text_bytes: u64,
}

pub(crate) fn run(args: &GenerateDataArgs) -> Result<Exit, CliError> {
    crate::machine::prepare_cpu(&args.machine)?;
    let settings = GenerateSettings {
        pairs: args.pairs,
        size: args.size.map(|size| size.0),
        temperature: args.temperature,
    };
    let _lock = crate::claim::file(&args.out)?;
    let generated = make(&settings, args.seed, &args.out)?;
    result(args.machine.form(), &generated, |generated| {
        format!(
            "{} pairs with {} of text written to `{}`",
            grouped(generated.pairs),
            ByteSize(generated.text_bytes),
            args.out.display()
        )
    })?;
    Ok(Exit::Done)
}

/// How many pairs there are, once the file and its record are written.
pub(crate) fn make(settings: &GenerateSettings, seed: u64, out: &Path) -> Result<Generated, CliError> {
    let temperature =
        Temperature::new(settings.temperature).map_err(|error| CliError::of(Exit::Usage, error))?;
    let n_pairs = settings.pairs.unwrap_or(usize::MAX);
    let most_bytes = settings.size.unwrap_or(u64::MAX);
    let mut writer = PairWriter::create(out)?;
    let mut text_bytes = 0;
    for pair in planted_pairs(&PlantedConfig { n_pairs, seed, temperature }) {
        if text_bytes >= most_bytes {
            break;
        }
        let PlantedPair { prompt, chosen, rejected, .. } = pair;
        let (chosen, rejected) = (chosen.text, rejected.text);
        text_bytes += (prompt.len() + chosen.len() + rejected.len()) as u64;
        writer.write(&PairContent::Text { prompt, chosen, rejected })?;
    }
    provenance::forget(out)?;
    let pairs = writer.finish()?;
    let record = Record::new("data generate", Some(seed), to_value(settings)?);
    provenance::beside(out, record, provenance::counts([("pairs", pairs)]))?;
    Ok(Generated { pairs, text_bytes })
}
