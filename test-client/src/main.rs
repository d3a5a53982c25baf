//! The command `test-client`.

fn main() -> std::process::ExitCode {
    test_client::run(std::env::args_os())
}
