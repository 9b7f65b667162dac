//! Where something lies, in words that outlast a move: from the artifact's folder, and as it was typed.

use std::path::{Component, Path, PathBuf};

/// The way from the folder `from` to `to`, with `/`; `None` where there is none, as between two drives. Of links on the way,
/// the folder that they lead to counts, as `..` does not lead back through them.
pub(super) fn relative(from: &Path, to: &Path) -> Option<String> {
    let (from, to) = (real(from)?, real(to)?);
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let n_shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    if n_shared == 0 {
        return None;
    }
    let up = from[n_shared..].iter().map(|_| "..".to_owned());
    let down = to[n_shared..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let steps: Vec<String> = up.chain(down).collect();
    Some(if steps.is_empty() { ".".to_owned() } else { steps.join("/") })
}

/// The absolute path, its folders without links; the last part may be a link, a pattern, or not there yet.
fn real(path: &Path) -> Option<PathBuf> {
    // The parent of a bare name.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let absolute = std::path::absolute(path).ok()?;
    // `..` at the end is a folder for certain; a file that is a link stays one, as in the Hub's cache.
    let is_folder =
        absolute.is_dir() || matches!(absolute.components().next_back(), Some(Component::ParentDir));
    if is_folder && let Ok(folder) = absolute.canonicalize() {
        return Some(folder);
    }
    match (absolute.parent(), absolute.file_name()) {
        (Some(parent), Some(name)) => Some(real(parent)?.join(name)),
        _ => Some(absolute),
    }
}

/// What was typed, without a name, a password, a query or a fragment in a URL: these may be credentials.
pub(crate) fn without_credentials(typed: &str) -> String {
    let Some((scheme, rest)) = typed.split_once("://") else { return typed.to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_from_one_folder_to_another_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("a/b")).unwrap();
        std::fs::create_dir_all(at("c")).unwrap();
        let way = |from: &str, to: &str| relative(&at(from), &at(to)).unwrap();
        assert_eq!(way("a/b", "c"), "../../c");
        assert_eq!(way("a/b", "c/*.jsonl"), "../../c/*.jsonl");
        assert_eq!(way("a", "a/b/not-there.txt"), "b/not-there.txt");
        assert_eq!(way("a", "a/b/.."), ".");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_since_its_parent_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("far/away/model")).unwrap();
        std::os::unix::fs::symlink(at("far/away/model"), at("link")).unwrap();
        assert_eq!(relative(&at("link"), &at("pairs.jsonl")).unwrap(), "../../../pairs.jsonl");
    }

    #[test]
    fn credentials_are_left_out_of_urls_and_paths_stay() {
        for (typed, kept) in [
            ("https://me:secret@host.org/a/b.jsonl?token=x#y", "https://host.org/a/b.jsonl"),
            ("s3://key:secret@bucket/pairs/*.parquet", "s3://bucket/pairs/*.parquet"),
            ("hf://datasets/org/name", "hf://datasets/org/name"),
            ("https://host?sig=abc", "https://host"),
            ("data/what?.jsonl", "data/what?.jsonl"),
            ("me@home/pairs.jsonl", "me@home/pairs.jsonl"),
        ] {
            assert_eq!(without_credentials(typed), kept);
        }
    }
}
