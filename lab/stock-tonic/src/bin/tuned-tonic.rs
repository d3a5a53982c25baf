//! Both stock services as an afternoon makes them faster: one thread, another allocator, and the release profile of this workspace.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The first word says which service it is, `echo` or `call-echo`; its flags follow.
fn main() -> ExitCode {
    let mut argv = std::env::args_os().skip(1).peekable();
    match argv.peek().and_then(|word| word.to_str()) {
        Some("echo") => stock_tonic::echo::run_on_one_thread(argv),
        Some("call-echo") => stock_tonic::run_on_one_thread(argv),
        _ => {
            eprintln!("error: which service? The first word is `echo` or `call-echo`");
            ExitCode::from(2)
        }
    }
}
