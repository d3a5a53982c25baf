//! Whether this process takes calls, and gRPC's standard health service that tells it (gRPC Health Checking Protocol).
//!
//! A process is healthy by itself: what its peers do does not matter. tonic-health has no `List`, and its `Watch` of an
//! unknown service is an error where the protocol says SERVICE_UNKNOWN.

use std::{pin::Pin, sync::Arc};

use futures_util::{Stream, StreamExt, stream};
use tonic::{Request, Response, Status};

use crate::{
    generated::health::{
        HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
        health_check_response::ServingStatus,
        health_server::{Health, HealthServer},
    },
    identity::Identity,
    origin::refused,
    shutdown::{Phase, Phases},
    status::Refusal,
};

pub(super) use crate::generated::health::DESCRIPTORS;

/// The health of this process and of `services`, its own.
pub(super) fn service(identity: Identity, services: &[&str], phases: Phases) -> HealthServer<impl Health> {
    HealthServer::new(State { identity, services: services.iter().map(|name| (*name).to_owned()).collect(), phases })
}

struct State {
    identity: Identity,
    services: Arc<[String]>,
    phases: Phases,
}

impl State {
    fn knows(&self, service: &str) -> bool {
        service.is_empty() || self.services.iter().any(|known| known == service)
    }

    fn of_process(&self) -> HealthCheckResponse {
        let serving = self.phases.is_serving();
        response(if serving { ServingStatus::Serving } else { ServingStatus::NotServing })
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl Health for State {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        match self.knows(&request.get_ref().service) {
            true => Ok(Response::new(self.of_process())),
            false => Err(refused(&self.identity, Refusal::UnknownService)),
        }
    }

    async fn list(&self, _: Request<HealthListRequest>) -> Result<Response<HealthListResponse>, Status> {
        let names = std::iter::once("").chain(self.services.iter().map(String::as_str));
        let statuses = names.map(|name| (name.to_owned(), self.of_process())).collect();
        Ok(Response::new(HealthListResponse { statuses }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    /// The state now; when the drain begins, NOT_SERVING; then the end, UNAVAILABLE, so that no Watch holds the drain back.
    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let known = self.knows(&request.get_ref().service);
        let unless_unknown = move |state| if known { state } else { response(ServingStatus::ServiceUnknown) };
        let now = unless_unknown(self.of_process());
        let (identity, phases) = (self.identity.clone(), self.phases.clone());
        let draining = async move {
            phases.reached(Phase::LameDuck).await;
            let last = unless_unknown(response(ServingStatus::NotServing));
            let end = Err(refused(&identity, Refusal::Draining));
            // Each state is told once.
            stream::iter(if last == now { vec![end] } else { vec![Ok(last), end] })
        };
        let states = stream::iter([Ok(now)]).chain(stream::once(draining).flatten());
        Ok(Response::new(Box::pin(states)))
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;
    use tonic::Code;

    use super::*;

    /// The health of a process, with a hand on its phases.
    fn process() -> (State, watch::Sender<Phase>) {
        let (phase, phases) = Phases::new();
        (State { identity: Identity::new("x", "x.v1"), services: ["x.v1.X".to_owned()].into(), phases }, phase)
    }

    fn about(service: &str) -> Request<HealthCheckRequest> {
        Request::new(HealthCheckRequest { service: service.into() })
    }

    #[tokio::test]
    async fn knows_the_process_and_its_services_and_no_other() {
        let (health, phase) = process();
        for name in ["", "x.v1.X"] {
            assert_eq!(health.check(about(name)).await.unwrap().get_ref().status(), ServingStatus::Serving);
        }
        assert_eq!(health.check(about("y")).await.unwrap_err().code(), Code::NotFound);
        phase.send_replace(Phase::LameDuck);
        assert_eq!(health.check(about("")).await.unwrap().get_ref().status(), ServingStatus::NotServing);
        let all = health.list(Request::new(HealthListRequest {})).await.unwrap().into_inner().statuses;
        assert_eq!(all.len(), 2);
        assert!(all.values().all(|one| one.status() == ServingStatus::NotServing));
    }

    #[tokio::test]
    async fn tells_a_watch_of_the_drain_and_then_ends_it() {
        let (health, phase) = process();
        for (name, states) in [
            ("x.v1.X", &[ServingStatus::Serving, ServingStatus::NotServing][..]),
            ("y", &[ServingStatus::ServiceUnknown]),
        ] {
            phase.send_replace(Phase::Serving);
            let mut watch = health.watch(about(name)).await.unwrap().into_inner();
            let first = watch.next().await.unwrap().unwrap().status();
            phase.send_replace(Phase::LameDuck);
            let rest: Vec<_> = watch.collect().await;
            let told: Vec<_> = rest.iter().filter_map(|one| Some(one.as_ref().ok()?.status())).collect();
            assert_eq!([&[first], &told[..]].concat(), states, "{name}");
            assert_eq!(rest.last().unwrap().as_ref().unwrap_err().code(), Code::Unavailable, "{name}");
        }
    }
}
