//! The process `service-b`.

fn main() -> std::process::ExitCode {
    service_runtime::run(&service_b::SERVICE, service_b::process::run)
}
