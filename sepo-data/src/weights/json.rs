//! Weights from lines of JSON.

use std::io::{self, BufRead, Read};
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::place::Place;
use super::{GivenKind, GivenRow, GivenWeights, WeightColumns, WeightedSpan, WeightsError};

/// Most bytes of a line.
const MAX_LINE_BYTES: u64 = 64 << 20;

/// One line after the other; blank ones are no rows.
pub(super) struct JsonRows {
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    n_rows: u64,
}

impl JsonRows {
    pub(super) fn new(path: PathBuf, reader: Box<dyn BufRead + Send>) -> Self {
        Self { path, reader, line: Vec::new(), n_rows: 0 }
    }

    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }

    pub(super) fn next_row(&mut self, columns: &WeightColumns) -> Result<Option<GivenRow>, WeightsError> {
        loop {
            let row = self.n_rows;
            let failed = |source| WeightsError::Read { path: self.path.clone(), row, source };
            self.line.clear();
            let mut reader = self.reader.as_mut().take(MAX_LINE_BYTES + 1);
            if reader.read_until(b'\n', &mut self.line).map_err(failed)? == 0 {
                return Ok(None);
            }
            if self.line.len() as u64 > MAX_LINE_BYTES {
                let text = format!("the line has more than {MAX_LINE_BYTES} bytes");
                return Err(failed(io::Error::new(io::ErrorKind::InvalidData, text)));
            }
            if self.line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            self.n_rows += 1;
            let object: Map<String, Value> = serde_json::from_slice(&self.line)
                .map_err(|source| WeightsError::Json { path: self.path.clone(), row, source })?;
            return self.given(row, &object, columns).map(Some);
        }
    }

    fn given(
        &self,
        file_row: u64,
        object: &Map<String, Value>,
        columns: &WeightColumns,
    ) -> Result<GivenRow, WeightsError> {
        let place = |column| Place { path: &self.path, row: file_row, column };
        let row = match object.get(&columns.row) {
            None | Some(Value::Null) => None,
            Some(value) => {
                Some(value.as_u64().ok_or_else(|| place(&columns.row).value(0, value, GivenKind::Row))?)
            }
        };
        let side = |column| {
            let value = object.get(column).ok_or_else(|| place(column).missing(GivenKind::Weights))?;
            weights(value, place(column))
        };
        Ok(GivenRow { file_row, row, chosen: side(&columns.chosen)?, rejected: side(&columns.rejected)? })
    }
}

fn weights(value: &Value, place: Place<'_>) -> Result<GivenWeights, WeightsError> {
    let items = value.as_array().ok_or_else(|| place.value(0, value, GivenKind::Weights))?;
    if items.first().is_some_and(Value::is_object) {
        let spans = items.iter().enumerate().map(|(i, item)| span(i, item, place));
        return Ok(GivenWeights::Spans(spans.collect::<Result<_, _>>()?));
    }
    let number =
        |(i, item): (usize, &Value)| item.as_f64().ok_or_else(|| place.value(i, item, GivenKind::Number));
    Ok(GivenWeights::Tokens(items.iter().enumerate().map(number).collect::<Result<_, _>>()?))
}

fn span(index: usize, item: &Value, place: Place<'_>) -> Result<WeightedSpan, WeightsError> {
    let wrong = || place.value(index, item, GivenKind::Span);
    let end = |name: &str| {
        item.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).ok_or_else(wrong)
    };
    let weight = match item.get("weight") {
        Some(Value::Bool(is_set)) => f64::from(u8::from(*is_set)),
        Some(weight) => weight.as_f64().ok_or_else(wrong)?,
        None => return Err(wrong()),
    };
    let (start, end) = (end("start")?, end("end")?);
    place.span(index, WeightedSpan { start, end, weight })
}
