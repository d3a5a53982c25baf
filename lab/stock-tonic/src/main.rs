//! The process `stock-tonic`.

use std::process::ExitCode;

fn main() -> ExitCode {
    stock_tonic::run(std::env::args_os())
}
