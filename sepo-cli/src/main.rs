//! The `sepo-cli` binary.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    sepo_cli::main()
}
