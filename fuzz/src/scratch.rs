//! A folder in memory whose files are written anew for each input.

use std::fs;
use std::path::{Path, PathBuf};

const PREFIX: &str = "sepo-fuzz-";

/// A folder of this process under `/dev/shm`, or among the temporary files where there is none. libFuzzer ends a process
/// without a word, so a later one removes it.
pub struct Scratch {
    dir: PathBuf,
}

impl Scratch {
    /// An empty folder.
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let dir = parent.join(format!("{PREFIX}{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        remove_left_over(&parent);
        fs::create_dir_all(&dir).expect("the folder for inputs can be made");
        Self { dir }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The path of a file that now holds `bytes`.
    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("an input can be written");
        path
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// Removes the folders of processes that are no more.
fn remove_left_over(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let id =
            name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|id| id.parse::<u32>().ok());
        if id.is_some_and(|id| {
            Path::new("/proc/self").exists() && !Path::new("/proc").join(id.to_string()).exists()
        }) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
