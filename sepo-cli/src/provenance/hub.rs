//! Names on the Hugging Face Hub, where a path gives them away: the Hub's cache keeps `models--ORG--NAME` and
//! `datasets--ORG--NAME`, a URL is `hf://models/ORG/NAME` or `hf://datasets/ORG/NAME`.

use super::{InputKind, Record};

/// The model on the Hub from which the record's model comes, at whatever distance.
pub(super) fn base_model(record: &Record) -> Option<String> {
    let mut current = record;
    // A record names others by their hash, so there is no circle; hostile ones may be many.
    for _ in 0..64 {
        let input = current.input("model")?;
        if let Some(id) = input.given.iter().chain(&input.path).find_map(|path| id(path, "models")) {
            return Some(id);
        }
        current = record.upstream.get(input.record.as_ref()?)?;
    }
    None
}

/// The data sets on the Hub that the record's model has seen, sorted.
pub(super) fn datasets(record: &Record) -> Vec<String> {
    let records = std::iter::once(record).chain(record.upstream.values());
    let inputs = records.flat_map(|record| &record.inputs).filter(|input| input.kind == InputKind::Data);
    let mut ids: Vec<String> =
        inputs.flat_map(|input| &input.given).filter_map(|path| id(path, "datasets")).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// `ORG/NAME`.
fn id(path: &str, kind: &str) -> Option<String> {
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let joined = |org: &str, name: &str| (is_name(org) && is_name(name)).then(|| format!("{org}/{name}"));
    if let Some(rest) = path.strip_prefix("hf://").and_then(|rest| rest.strip_prefix(kind)?.strip_prefix('/'))
    {
        let (org, rest) = rest.split_once('/')?;
        // `NAME@REVISION`.
        return joined(org, rest.split(['/', '@']).next()?);
    }
    let folder = |part: &str| {
        let (org, name) = part.strip_prefix(kind)?.strip_prefix("--")?.split_once("--")?;
        joined(org, name)
    };
    path.split(['/', '\\']).find_map(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_off_the_cache_and_off_a_url() {
        for (path, kind, found) in [
            ("/home/me/.cache/huggingface/hub/models--org--a-b/snapshots/1f", "models", Some("org/a-b")),
            ("hub/datasets--o--n/snapshots/1f/data/*.parquet", "datasets", Some("o/n")),
            ("hf://datasets/o/n@main/data/train.parquet", "datasets", Some("o/n")),
            ("hf://models/o/n", "models", Some("o/n")),
            ("hf://models/o/n", "datasets", None),
            ("models/policy", "models", None),
            ("models--only", "models", None),
            ("models--o--a b", "models", None),
        ] {
            assert_eq!(id(path, kind).as_deref(), found, "{path}");
        }
    }
}
