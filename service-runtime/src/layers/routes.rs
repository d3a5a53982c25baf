//! The innermost of the stack: the generated servers, by the service that a path names.

use std::{convert::Infallible, future::poll_fn, pin::Pin, sync::Arc};

use http::{Request, Response};
use tonic::{Status, body::Body, server::NamedService};
use tower::Service;

use super::{Handle, answer};

/// The generated servers of one worker. A worker has a handful of them, so they are looked for one after the other.
#[derive(Clone, Default)]
pub struct Routes(Vec<(&'static str, Arc<dyn Serve>)>);

type Answered<'a> = Pin<Box<dyn Future<Output = Response<Body>> + Send + 'a>>;

trait Serve: Send + Sync {
    fn serve(&self, request: Request<Body>) -> Answered<'_>;
}

impl<S> Serve for S
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>,
    S: Clone + Send + Sync,
{
    fn serve(&self, request: Request<Body>) -> Answered<'_> {
        let mut service = self.clone();
        Box::pin(async move {
            let Ok(()) = poll_fn(|cx| service.poll_ready(cx)).await;
            let Ok(response) = service.call(request).await;
            response
        })
    }
}

impl Routes {
    /// Adds the server of one service.
    pub fn add<S>(&mut self, service: S)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>,
        S: NamedService + Clone + Send + Sync + 'static,
    {
        self.0.push((S::NAME, Arc::new(service)));
    }

    fn of(&self, path: &str) -> Option<&dyn Serve> {
        let (service, _method) = path.strip_prefix('/')?.split_once('/')?;
        self.0.iter().find(|(name, _)| *name == service).map(|(_, service)| &**service)
    }
}

impl Handle for Routes {
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        match self.of(request.uri().path()) {
            Some(service) => service.serve(request).await,
            // The guard lets no path through that is not served; in a build without one this is what stock tonic says.
            None => answer(Status::unimplemented("")),
        }
    }
}
