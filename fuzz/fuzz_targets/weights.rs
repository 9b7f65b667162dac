//! Weights that others have made: any bytes, and valid files with a few bytes changed, as Parquet and as JSON lines.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sepo_data::{GivenWeights, GivenWeightsReader, SpanUnit, WeightColumns, byte_spans};
use sepo_fuzz::{Scratch, base, describe, file_of, watched};

static SCRATCH: LazyLock<Scratch> = LazyLock::new(Scratch::new);
/// A selection has the columns of weights.
static PARQUET: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| base::selection_files(&SCRATCH));
static LINES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let spans = r#"[{"start": 0, "end": 3, "weight": true}, {"start": 3, "end": 5, "weight": -0.5}]"#;
    let line = format!("{{\"row\": 4, \"chosen_weights\": [0.5, -1], \"rejected_weights\": {spans}}}\n");
    vec![line.clone().into_bytes(), format!("{line}\r\n{line}").into_bytes()]
});

/// As in the import of pairs.
const ROWS: usize = 20_000;
const TEXT: &str = "äbc 世界 🎉";

fuzz_target!(init: sepo_fuzz::watch(), |data: &[u8]| {
    let Some((which, data)) = data.split_first() else { return };
    let (name, files) = if which % 2 == 0 { ("x.jsonl", &LINES) } else { ("x.parquet", &PARQUET) };
    watched(|| {
        match GivenWeightsReader::open(SCRATCH.put(name, file_of(data, files)), WeightColumns::default()) {
            Ok(rows) => rows.take(ROWS).for_each(|row| match row {
                Ok(row) => in_characters(row.rejected),
                Err(error) => describe(&error),
            }),
            Err(error) => describe(&error),
        }
    });
});

fn in_characters(given: GivenWeights) {
    if let GivenWeights::Spans(spans) = given
        && let Ok(spans) = byte_spans(TEXT, spans, SpanUnit::Characters)
    {
        assert!(spans.iter().all(|span| TEXT.get(span.start as usize..span.end as usize).is_some()));
    }
}
