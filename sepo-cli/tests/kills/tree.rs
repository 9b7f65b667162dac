//! What lies in a folder, without what depends on the clock or the process.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::job::MADE;
use crate::support::World;

/// Fields of a line of metrics, or of a record, that tell how the work went and not what came of it.
const PACE: [&str; 7] = [
    "tokens_per_s",
    "pairs_per_s",
    "peak_rss_bytes",
    "seconds",
    "flops_per_s",
    "resumed_pairs",
    "resumed_from",
];

/// Files by their path within the folder.
pub(crate) struct Tree {
    files: BTreeMap<String, Vec<u8>>,
}

impl Tree {
    /// What a job has made.
    pub(crate) fn read(world: &World) -> Self {
        let mut tree = Self { files: BTreeMap::new() };
        tree.add(Path::new(&world.path(MADE)), "");
        tree
    }

    fn add(&mut self, dir: &Path, prefix: &str) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                self.add(&entry.path(), &format!("{name}/"));
            } else {
                let bytes = without_pace(&name, std::fs::read(entry.path()).unwrap());
                self.files.insert(name, bytes);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Fails with the first file that differs, is missing, or should not be there.
    #[track_caller]
    pub(crate) fn assert_same(&self, expected: &Self, what: &str) {
        for name in self.files.keys() {
            assert!(expected.files.contains_key(name), "{what}: `{name}` was left behind");
        }
        for (name, bytes) in &expected.files {
            let Some(found) = self.files.get(name) else { panic!("{what}: there is no `{name}`") };
            let at = found.iter().zip(bytes).position(|(found, expected)| found != expected);
            let at = at.or_else(|| (found.len() != bytes.len()).then(|| found.len().min(bytes.len())));
            if let Some(at) = at {
                let near = |bytes: &[u8]| {
                    String::from_utf8_lossy(&bytes[at.saturating_sub(60)..bytes.len().min(at + 60)])
                        .into_owned()
                };
                panic!("{what}: `{name}` differs at byte {at}:\n{}\n{}", near(found), near(bytes));
            }
        }
    }
}

/// The bytes of a file; of one that tells times, all but those.
fn without_pace(name: &str, bytes: Vec<u8>) -> Vec<u8> {
    let lines = || String::from_utf8(bytes.clone()).unwrap();
    if name.ends_with("metrics.jsonl") {
        let line = |line: &str| stripped(serde_json::from_str(line).unwrap()).to_string() + "\n";
        return lines().lines().map(line).collect::<String>().into_bytes();
    }
    if name.ends_with(".json") {
        return match serde_json::from_slice(&bytes) {
            Ok(value) => stripped(value).to_string().into_bytes(),
            Err(_) => bytes,
        };
    }
    // Draws what metrics hold, times among them.
    if name.ends_with("report.html") { Vec::new() } else { bytes }
}

fn stripped(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.retain(|name, _| !PACE.contains(&name.as_str()));
            fields.values_mut().for_each(|value| *value = stripped(value.take()));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| *value = stripped(value.take())),
        _ => {}
    }
    value
}
