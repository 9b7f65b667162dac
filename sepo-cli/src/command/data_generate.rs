//! `sepo-cli data generate`

use sepo_data::PairContent;
use sepo_data::format::PairWriter;
use sepo_data::planted::{PlantedConfig, PlantedPair, Temperature, planted_pairs};
use serde::Serialize;

use crate::args::GenerateDataArgs;
use crate::console::{grouped, result};
use crate::exit::{CliError, Exit};
use crate::memory::ByteSize;

#[derive(Debug, Serialize)]
struct Generated {
    pairs: u64,
    /// Bytes of prompts and responses.
    text_bytes: u64,
}

pub(crate) fn run(args: &GenerateDataArgs) -> Result<Exit, CliError> {
    crate::machine::prepare_cpu(&args.machine)?;
    let temperature = Temperature::new(args.temperature).map_err(|error| CliError::of(Exit::Usage, error))?;
    // One of the two is typed.
    let n_pairs = args.pairs.unwrap_or(usize::MAX);
    let most_bytes = args.size.map_or(u64::MAX, |size| size.0);
    let mut writer = PairWriter::create(&args.out)?;
    let mut text_bytes = 0;
    for pair in planted_pairs(&PlantedConfig { n_pairs, seed: args.seed, temperature }) {
        if text_bytes >= most_bytes {
            break;
        }
        let PlantedPair { prompt, chosen, rejected, .. } = pair;
        let (chosen, rejected) = (chosen.text, rejected.text);
        text_bytes += (prompt.len() + chosen.len() + rejected.len()) as u64;
        writer.write(&PairContent::Text { prompt, chosen, rejected })?;
    }
    crate::provenance::forget(&args.out)?;
    let generated = Generated { pairs: writer.finish()?, text_bytes };
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
