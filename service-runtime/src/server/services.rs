//! The services of one worker: those that the user adds, and those that every server has.

use std::convert::Infallible;

use http::{Request, Response};
use tonic::{body::Body, server::NamedService};
use tower::Service;

use crate::layers::routes::Routes;

/// What a worker serves. Made in the factory of a server, with code that tonic generated.
#[derive(Clone, Default)]
pub struct Services {
    pub(super) routes: Routes,
    /// Full names, such as `echo.v1.EchoService`.
    pub(super) names: Vec<&'static str>,
}

impl Services {
    /// None yet.
    pub fn new() -> Self {
        Services::default()
    }

    /// Adds a generated server, such as `GreeterServer::new(Greeter)`. One name can be added once: the start fails otherwise.
    #[expect(clippy::should_implement_trait, reason = "services are added, and there is no sum of them")]
    pub fn add<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>,
        S: NamedService + Clone + Send + Sync + 'static,
    {
        // A second of one name would never be found; its name tells the start.
        self.routes.add(service);
        self.names.push(S::NAME);
        self
    }
}
