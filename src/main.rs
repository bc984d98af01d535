//! The program: everything is in the library.

/// Most of what a pass costs beside reading YAML is small pieces of memory, taken and given back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    partnerctl::cli::run(std::env::args_os())
}
