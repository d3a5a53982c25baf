//! The stack, and an eye on what it answers: over HTTP/2 what comes out of the wire is compressed.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use tonic::{Status, body::Body};

use crate::{layers::Handle, server::stack::Stack};

/// What was answered: the HTTP status, and `grpc-status` once it is known.
pub type Answers = Arc<Mutex<Vec<Answer>>>;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub http: u16,
    pub grpc: Option<String>,
}

/// The stack for one connection.
pub struct Watched {
    pub stack: Arc<Stack>,
    pub answers: Answers,
}

impl Handle for Watched {
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let response = self.stack.handle(request).await;
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
