//! The command line: parse, run, exit. Everything else is the library's.
//!
//! ## Why an allocator
//!
//! Trees of YAML and JSON are many small pieces. Checking and planning 10,000 steps took 130 ms with glibc's
//! `malloc` and 89 ms with this one (best of 40 and of 15, on two busy cores, the same binary otherwise), and a static binary would have
//! musl's, which is slower still. Whoever uses the library chooses for himself.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    lifeboat::cli::main()
}
