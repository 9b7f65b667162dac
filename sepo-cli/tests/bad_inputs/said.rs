//! What a command says, the same on every machine.

use super::support::{Ran, World};

/// Runs what is typed in the world's folder; what it says keeps its lines and frames, without what differs from one machine,
/// or one run, to the next.
pub(super) fn said(world: &World, typed: &str) -> Ran {
    let mut command = world.command(typed);
    // Frames are drawn for terminals that can show them; a terminal's width is 80 where there is none.
    let output = command.env("LC_ALL", "C.UTF-8").env_remove("RUST_LOG").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let root = world.path("");
    let stderr = text(output.stderr).replace(root.trim_end_matches('/'), "[dir]");
    let lines: String = stderr.lines().map(|line| format!("{}\n", without_hashes(line.trim_end()))).collect();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: lines }
}

/// Long runs of hexadecimal digits as `…`: weights differ in their last bits from one processor to the next.
fn without_hashes(line: &str) -> String {
    let words = line.split_inclusive(|c: char| !c.is_ascii_hexdigit());
    let shown = words.map(|word| {
        let digits = word.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits >= 12 { format!("…{}", &word[digits..]) } else { word.to_owned() }
    });
    shown.collect()
}
