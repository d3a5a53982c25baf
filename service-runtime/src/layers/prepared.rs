//! What an answer says, for the log; and an answer that always says the same, made once.

use std::sync::Arc;

use http::{HeaderMap, Response};
use tonic::{Code, Status, body::Body};

use super::answer;
use crate::origin::Origin;

/// What an answer's status says. Where it is known from the start it goes with the answer, as an extension in an [`Arc`]:
/// whoever logs it need not decode it again.
pub(crate) struct StatusText {
    pub code: Code,
    pub message: String,
    pub reason: Option<String>,
}

impl StatusText {
    /// OK says nothing more.
    pub const OK: StatusText = StatusText { code: Code::Ok, message: String::new(), reason: None };

    pub fn of(status: &Status) -> Self {
        let reason = Origin::of(status).map(|origin| origin.reason);
        StatusText { code: status.code(), message: status.message().to_owned(), reason }
    }
}

/// A status as a gRPC answer without a message, to be given again and again.
pub(crate) struct Prepared {
    headers: HeaderMap,
    text: Arc<StatusText>,
}

impl Prepared {
    pub fn new(status: Status) -> Self {
        let text = Arc::new(StatusText::of(&status));
        Prepared { headers: answer(status).into_parts().0.headers, text }
    }

    pub fn answer(&self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = self.headers.clone();
        response.extensions_mut().insert(self.text.clone());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{identity::service_b, origin::refused, status::Refusal};

    #[test]
    fn answers_as_if_it_were_made_each_time() {
        let prepared = Prepared::new(refused(&service_b(), Refusal::Overloaded));
        for _ in 0..2 {
            let (again, once) = (prepared.answer(), answer(refused(&service_b(), Refusal::Overloaded)));
            assert_eq!((again.status(), again.headers()), (once.status(), once.headers()));
            let text = again.extensions().get::<Arc<StatusText>>().unwrap();
            let status = Status::from_header_map(again.headers()).unwrap();
            assert_eq!((text.code, &*text.message), (status.code(), status.message()));
            assert_eq!(text.reason.as_deref(), Some("OVERLOADED"));
        }
    }
}
