//! The `sepo-cli` binary.

fn main() -> std::process::ExitCode {
    sepo_cli::main()
}
