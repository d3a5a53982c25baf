//! Notes what the worker answers: what comes out of the wire over HTTP/2 is compressed.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use tonic::{Status, body::Body};

use service_runtime::{InProcess, layers::Handle};

/// What was answered: the HTTP status, and `grpc-status` once it is known.
pub type Answers = Arc<Mutex<Vec<Answer>>>;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub http: u16,
    pub grpc: Option<String>,
}

/// The worker for one connection.
pub struct Noted {
    pub worker: Arc<InProcess>,
    pub answers: Answers,
}

impl Handle for Noted {
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let response = self.worker.handle(request).await;
        let answer = Answer { http: response.status().as_u16(), grpc: status(response.headers()) };
        let mut answers = self.answers.lock().unwrap();
        answers.push(answer);
        let (at, answers) = (answers.len() - 1, self.answers.clone());
        response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                if let Some(trailers) = frame.trailers_ref() {
                    answers.lock().unwrap()[at].grpc = status(trailers);
                }
                frame
            }))
        })
    }
}

fn status(headers: &HeaderMap) -> Option<String> {
    headers.get(Status::GRPC_STATUS).map(|status| String::from_utf8_lossy(status.as_bytes()).into_owned())
}
