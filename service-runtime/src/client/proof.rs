//! Did the peer itself speak, or somebody before it? A proxy such as Envoy answers UNAVAILABLE for a peer that is dead.

use tonic::Status;
use tonic_types::StatusExt as _;

use crate::context::served_by;

/// Whether the answer of a status proves that the service called `name` made it: by that name in `served-by`, in headers or
/// trailers, or by an `ErrorInfo` of its errors' `domain`. A proxy makes neither up.
pub fn is_by(status: &Status, name: &str, domain: &str) -> bool {
    let served_by = served_by(status.metadata().as_ref());
    let served_by = served_by.as_ref().and_then(|hops| hops.to_str().ok()).unwrap_or_default();
    let names_it = |hop: &str| hop.trim().split_once('/').is_some_and(|(service, _)| service == name);
    served_by.split(',').any(names_it) || status.get_details_error_info().is_some_and(|info| info.domain == domain)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic::Code;
    use tonic_types::ErrorDetails;

    use super::*;

    fn served(by: &'static str) -> Status {
        let mut status = Status::unavailable("");
        status.metadata_mut().insert("served-by", by.parse().unwrap());
        status
    }

    fn info(domain: &str) -> Status {
        let details = ErrorDetails::with_error_info("REASON", domain, HashMap::new());
        Status::with_error_details(Code::Unavailable, "", details)
    }

    #[test]
    fn takes_a_service_for_the_speaker_only_where_the_answer_names_it() {
        for by in ["service-a/1", "proxy/7, service-a/1", "service-a/1,service-c/2"] {
            assert!(is_by(&served(by), "service-a", "echo.v1"), "{by}");
        }
        for by in ["", "proxy/7", "service-a", "service-ab/1"] {
            assert!(!is_by(&served(by), "service-a", "echo.v1"), "{by}");
        }
        assert!(is_by(&info("echo.v1"), "service-a", "echo.v1"));
        assert!(!is_by(&info("envoy.v3"), "service-a", "echo.v1"));
        assert!(!is_by(&Status::unavailable("upstream connect error"), "service-a", "echo.v1"));
    }
}
