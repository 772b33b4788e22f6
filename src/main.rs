//! The command line: parse, run, exit. Everything else is the library's.
//!
//! ## Why an allocator
//!
//! Trees of YAML and JSON are many small pieces. Checking and planning 10,000 steps took 130 ms with glibc's
//! `malloc` and 89 ms with this one (best of 40 and of 15, on two busy cores, the same binary otherwise), and a static binary would have
//! musl's, which is slower still. Whoever uses the library chooses for himself.
//!
//! ## Why free pages are given back at once
//!
//! This allocator gives pages back 10 ms after they were freed, and only when their thread allocates again. Threads
//! that read archives and journals then sleep on what they had: a restore of 50,000 objects held 104 to 121 MiB
//! in two runs, and 89 MiB with this setting, which is otherwise an environment variable
//! (`MIMALLOC_PURGE_DELAY`). The allocator's crate has no safe call for it.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 2: milliseconds until free pages are given back to the system.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() -> std::process::ExitCode {
    give_back_at_once();
    lifeboat::cli::main()
}

#[expect(
    unsafe_code,
    reason = "two numbers go into a foreign function that only stores them, before there is a second thread"
)]
fn give_back_at_once() {
    // Whoever sets it by the environment knows better.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, 0) }
}
