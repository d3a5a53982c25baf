//! Is this a gRPC request? What can be told from its headers alone, in the contract's order.

use std::sync::Arc;

use http::{HeaderMap, Method as HttpMethod, Request, Response, Version};
use tonic::body::Body;

use super::{Handle, answer};
use crate::{grpc::has_grpc_content, identity::Identity, methods::Method, origin::refused, status::Refusal};

/// Above this, RESOURCE_EXHAUSTED; above twice that, hyper answers 431 by itself.
const MAX_METADATA: usize = 16 * 1024;

pub struct Guard<S> {
    pub identity: Identity,
    pub inner: S,
}

impl<S: Handle> Handle for Guard<S> {
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        match check(&request) {
            Ok(()) => self.inner.handle(request).await,
            Err(refusal) => answer(refused(&self.identity, refusal)),
        }
    }
}

fn check(request: &Request<Body>) -> Result<(), Refusal> {
    let content_is_grpc = has_grpc_content(request.headers());
    let is_post = request.method() == HttpMethod::POST;
    if metadata_size(request.headers()) > MAX_METADATA {
        return Err(Refusal::MetadataTooLarge);
    }
    // The edge found something wrong that only it can see, such as a query that is not percent-encoded.
    if let Some(refusal) = request.extensions().get::<Refusal>() {
        return Err(*refusal);
    }
    if content_is_grpc && !is_post {
        return Err(Refusal::WrongHttpMethod);
    }
    if request.extensions().get::<Arc<Method>>().is_none() {
        return Err(Refusal::UnknownMethod);
    }
    match (is_post, content_is_grpc, request.version()) {
        (false, _, _) => Err(Refusal::WrongHttpMethod),
        (true, false, _) => Err(Refusal::WrongContentType),
        (true, true, Version::HTTP_2) => Ok(()),
        (true, true, _) => Err(Refusal::NeedsHttp2),
    }
}

/// As HTTP/2 counts a header list: 32 octets a field and the field itself (RFC 9113, 6.5.2).
fn metadata_size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;

    use super::*;

    fn request(method: HttpMethod, version: Version, content_type: &str, known: bool) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.version_mut() = version;
        request.headers_mut().insert(CONTENT_TYPE, content_type.parse().unwrap());
        if known {
            request.extensions_mut().insert(Arc::new(Method::default()));
        }
        request
    }

    #[test]
    fn takes_grpc_and_tells_everything_else_apart() {
        let (post, get, h2, h1) = (HttpMethod::POST, HttpMethod::GET, Version::HTTP_2, Version::HTTP_11);
        let cases = [
            (post.clone(), h2, "application/grpc", true, Ok(())),
            (post.clone(), h2, "application/grpc+proto; charset=utf-8", true, Ok(())),
            (post.clone(), h2, "application/grpc", false, Err(Refusal::UnknownMethod)),
            (get.clone(), h2, "application/grpc", false, Err(Refusal::WrongHttpMethod)),
            (get.clone(), h2, "", true, Err(Refusal::WrongHttpMethod)),
            (get, h1, "", false, Err(Refusal::UnknownMethod)),
            (post.clone(), h2, "application/json", true, Err(Refusal::WrongContentType)),
            (post.clone(), h2, "application/grpc-web", true, Err(Refusal::WrongContentType)),
            (post.clone(), h2, "application/grpc+json", true, Err(Refusal::WrongContentType)),
            (post, h1, "application/grpc", true, Err(Refusal::NeedsHttp2)),
        ];
        for (method, version, content_type, known, expected) in cases {
            let case = format!("{method} {version:?} {content_type} known={known}");
            assert_eq!(check(&request(method, version, content_type, known)), expected, "{case}");
        }
    }

    #[test]
    fn looks_at_the_size_of_the_metadata_first() {
        let mut request = request(HttpMethod::GET, Version::HTTP_11, "", false);
        request.headers_mut().insert("x-big", "x".repeat(MAX_METADATA).parse().unwrap());
        assert_eq!(check(&request), Err(Refusal::MetadataTooLarge));
    }
}
