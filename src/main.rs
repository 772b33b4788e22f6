//! The command line: parse, run, exit. Everything else is the library's.
//!
//! ## Why an allocator
//!
//! - Trees of YAML and JSON are many small pieces, and a static binary would have musl's `malloc`, which is slow. Whoever
//!   uses the library chooses for himself.
//! - Archives and manifests are read by one thread and freed by another. An allocator that gives each thread a heap of its
//!   own keeps what others free until that thread allocates again: planning the restore of 50,000 objects, 29 MB at most
//!   by `heaptrack`, had 50 MB of anonymous memory with mimalloc 2, and has 30 with this one.
//! - **Free pages are given back at once**, and two arenas do: what is kept for later is memory that a small machine
//!   in a disaster may not have.

#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What the allocator reads under this name before `main`: a text that ends with a zero.
#[cfg(not(target_env = "msvc"))]
#[expect(
    unsafe_code,
    reason = "the allocator is in C, and takes its settings by the name of a symbol"
)]
// SAFETY: nobody else has a symbol of that name, and the pointer leads to a text that lives for ever.
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static SETTINGS: Option<&'static std::ffi::c_char> =
    Some(unsafe { &*c"narenas:2,dirty_decay_ms:0,muzzy_decay_ms:0".as_ptr() });

fn main() -> std::process::ExitCode {
    lifeboat::cli::main()
}
