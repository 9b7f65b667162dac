//! All that lies in a folder, before and after.

use std::collections::BTreeMap;
use std::path::Path;

use super::support::World;

/// Every file below a folder with its bytes, and every folder.
pub(super) struct Tree(BTreeMap<String, Option<Vec<u8>>>);

impl Tree {
    pub(super) fn of(world: &World) -> Self {
        let mut entries = BTreeMap::new();
        let root = world.path("");
        collect(root.as_ref(), root.as_ref(), &mut entries);
        Self(entries)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Names that are new, gone, or of other content in `after`.
    pub(super) fn changed<'a>(&'a self, after: &'a Self) -> Vec<&'a str> {
        let names = self.names().chain(after.names().filter(|name| !self.0.contains_key(*name)));
        names.filter(|name| self.0.get(*name) != after.0.get(*name)).collect()
    }
}

fn collect(root: &Path, dir: &Path, entries: &mut BTreeMap<String, Option<Vec<u8>>>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if path.is_dir() {
            entries.insert(name, None);
            collect(root, &path, entries);
        } else {
            entries.insert(name, Some(std::fs::read(&path).unwrap()));
        }
    }
}

/// Whether a path is one of a file that was never finished: a lock, a temporary, shards of a result that is not there yet.
pub(super) fn is_unfinished(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with('.') || part.ends_with(".parts"))
}
