//! At most so many calls at once in this process; one more is refused at once instead of waiting in a queue.
//!
//! Health and reflection do not count: an overloaded process is still alive, and whoever debugs it wants to see it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Request, Response};
use tonic::body::Body;

use super::{Handle, answer};
use crate::{
    origin::refused,
    server::{Shared, methods::Method},
    status::Refusal,
};

pub(crate) struct Limit<S> {
    pub shared: Arc<Shared>,
    pub inner: S,
}

impl<S: Handle> Handle for Limit<S> {
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let counts = request.extensions().get::<Method>().is_none_or(|method| !method.probe);
        if !counts {
            return self.inner.handle(request).await;
        }
        match Permit::take(&self.shared.calls, self.shared.max_calls) {
            Some(_permit) => self.inner.handle(request).await,
            None => answer(refused(self.shared.service, Refusal::Overloaded)),
        }
    }
}

/// One call among those that are counted, until it is dropped.
struct Permit<'a>(&'a AtomicUsize);

impl<'a> Permit<'a> {
    fn take(calls: &'a AtomicUsize, limit: usize) -> Option<Self> {
        let permit = Permit(calls);
        // Counted first, so that two calls at once cannot both take the last place; dropping gives it back.
        (calls.fetch_add(1, Ordering::AcqRel) < limit).then_some(permit)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_one_more_than_the_limit_and_takes_again_after_one_ended() {
        let calls = AtomicUsize::new(0);
        let first = Permit::take(&calls, 2);
        let second = Permit::take(&calls, 2);
        assert!(first.is_some() && second.is_some());
        assert!(Permit::take(&calls, 2).is_none());
        drop(first);
        assert!(Permit::take(&calls, 2).is_some());
    }
}
