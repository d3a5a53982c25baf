//! The process `stock-echo`.

use std::process::ExitCode;

fn main() -> ExitCode {
    stock_tonic::echo::run(std::env::args_os())
}
