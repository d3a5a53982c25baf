//! The process `service-a`.

fn main() -> std::process::ExitCode {
    service_runtime::run(&service_a::SERVICE, service_a::process::run)
}
