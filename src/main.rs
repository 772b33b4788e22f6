//! The command line: parse, run, exit. Everything else is the library's.

fn main() -> std::process::ExitCode {
    lifeboat::cli::main()
}
