//! A handler that panics costs its own call only: UNKNOWN. The hook of `telemetry` has logged where it was.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use http::{Request, Response};
use tonic::body::Body;

use super::{Handle, answer};
use crate::{origin::refused, server::Shared, status::Refusal};

pub(crate) struct Panic<S> {
    pub shared: Arc<Shared>,
    pub inner: S,
}

impl<S: Handle> Handle for Panic<S> {
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        // The call's own state is dropped with it; what calls share is built of atomics and is never half-changed.
        match AssertUnwindSafe(self.inner.handle(request)).catch_unwind().await {
            Ok(response) => response,
            Err(_) => answer(refused(self.shared.service, Refusal::Panicked)),
        }
    }
}
