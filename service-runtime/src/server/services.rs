//! The services of one worker: those that the user adds, and those that every server has.

use std::convert::Infallible;

use http::{Request, Response};
use tonic::{body::Body, server::NamedService, service::Routes};
use tower::Service;

/// What a worker serves. Made in the factory of a server, with code that tonic generated.
#[derive(Clone, Debug, Default)]
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
        // The router panics at a path that it has; the second is left out, and its name tells the start.
        if !self.names.contains(&S::NAME) {
            self.routes = self.routes.add_service(service);
        }
        self.names.push(S::NAME);
        self
    }
}
