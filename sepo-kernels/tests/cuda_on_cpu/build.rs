//! The program that runs the kernels: the header, the prelude, every kernel in a namespace of its operation, the server

#![expect(clippy::print_stdout, reason = "what is skipped is said")]

use sepo_kernels::cuda::{Source, sources};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const HEADER: &str = include_str!("cuda_on_cpu.h");
const SERVER: &str = include_str!("server.h");

/// Kernels with a mistake each: that what is wrong is seen
pub(crate) static FAULTS: Source = Source {
    op: "faults",
    text: include_str!("faults.cu"),
    kernels: &["reads_beyond", "shares_beyond", "leaves_early", "lacks_a_barrier", "shuffles_alone"],
};

/// The program, or `None` where there is no C++ compiler; made once for a text
pub(crate) fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM.get_or_init(build).as_deref()
}

/// The kernels of the crate, and those that are wrong on purpose
fn all() -> Vec<&'static Source> {
    sources().into_iter().chain([&FAULTS]).collect()
}

fn text() -> String {
    let mut text = String::from("#include \"cuda_on_cpu.h\"\n");
    text += Source::prelude();
    for source in all() {
        // Names with C's linkage are the same in every namespace; only a driver looks them up.
        let kernels = source.text.replace("extern \"C\" ", "");
        text += &format!("namespace op_{} {{\n#line 1 \"{}.cu\"\n{}\n}}\n", source.op, source.op, kernels);
    }
    text += "#include \"server.h\"\nint main() {\n    return serve({\n";
    for source in all() {
        for kernel in source.kernels {
            text += &format!("        entry(\"{0}/{kernel}\", op_{0}::{kernel}),\n", source.op);
        }
    }
    text + "    });\n}\n"
}

fn build() -> Option<PathBuf> {
    let flags: &[&str] = if std::env::var_os("SEPO_TSAN").is_some() {
        &["-DCUDA_ON_CPU_THREADS", "-fsanitize=thread"]
    } else {
        &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    };
    if Command::new("c++").arg("--version").output().is_err() {
        println!("skipped: no C++ compiler (`c++`) to run the kernels on the CPU with");
        return None;
    }
    let text = text();
    let mut hasher = DefaultHasher::new();
    (HEADER, SERVER, &text, flags).hash(&mut hasher);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let program = folder.join(format!("cuda_on_cpu-{:016x}", hasher.finish()));
    if program.exists() {
        return Some(program);
    }
    // Made under another name: another test program may be about to make the same.
    let unfinished = folder.join(format!("cuda_on_cpu-{:016x}.{}", hasher.finish(), std::process::id()));
    let source = unfinished.with_extension("cpp");
    std::fs::write(&source, text).expect("the folder for temporary files can be written");
    // Tests of another crate of the workspace have these modules, too.
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/../sepo-kernels/tests/cuda_on_cpu");
    let output = Command::new("c++")
        .args([
            "-std=c++17",
            "-O1",
            "-g1",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-Wno-unused-function",
            "-Wno-unknown-pragmas",
        ])
        .args(flags)
        .args(["-I", here, "-pthread", "-o"])
        .args([&unfinished, &source])
        .output()
        .expect("the compiler answered before");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::rename(&unfinished, &program).expect("both lie in one folder");
    std::fs::remove_file(source).expect("it was written above");
    Some(program)
}
