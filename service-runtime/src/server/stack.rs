//! THE list of layers, outermost first: what a call passes on its way in, and its answer on the way out.

use std::sync::Arc;

use super::{services::Services, shared::Shared};
use crate::{
    layers::{
        deadline::KeepDeadline,
        fault::Fault,
        guard::Guard,
        json::Json,
        limit::Limit,
        message::{Limits, Messages},
        panic::Panic,
        record::Record,
        user::Around,
    },
    methods::Methods,
};

/// The stack's type is its order.
pub type Stack<A> = Json<Record<Guard<Panic<KeepDeadline<Limit<<A as Around>::Handle>>>>>>;

/// Builds the stack of one worker.
#[rustfmt::skip]
pub fn stack<A: Around>(shared: &Shared<A>, methods: Methods, services: Services) -> Stack<A> {
    let identity = || shared.identity.clone();
    let limits = Limits { identity: identity(), max_message_size: shared.config.max_message_size };
    // Plain HTTP becomes gRPC; everything inside sees gRPC only.
    Json { routes: shared.json.clone(), cors: shared.config.cors.clone(), inner:
    // One log line a call, also for those that are refused further in.
    Record { identity: identity(), methods: Arc::new(methods), phases: shared.phases.clone(), faults: shared.faults.clone(),
             served_by: shared.served_by.clone(), error_details: shared.config.error_details, inner:
    // Not gRPC, or no such method: refused before anything is spent on it.
    Guard { identity: identity(), inner:
    // A panic further in is this call's failure and nothing else's.
    Panic { identity: identity(), inner:
    // From here on the caller's clock runs: over the limit's answer, the message's arrival and the handler.
    KeepDeadline { identity: identity(), inner:
    // Counts calls in flight; before the body is read, so that a refusal is cheap.
    Limit::new(&shared.identity, shared.calls.clone(), shared.config.max_concurrent_calls,
    // The user's own layers; they may wait, for the call is counted, and refuse, for nothing of its body was read.
    shared.around.around(
    // Each message whole and within its limit; of a unary request exactly one.
    Messages { limits, inner:
    // Faults on demand; last, so that a bad request is refused as ever.
    Fault { identity: identity(), faults: shared.faults.clone(), inner: services.routes } },
    &shared.identity)) } } } } }
}

#[cfg(test)]
mod tests {
    use tower::layer::util::Identity;

    use super::Stack;
    use crate::layers::user::{Layers, NoLayers};

    fn order(of: &str) -> Vec<&str> {
        let names = of.split(['<', ',', '>']).filter_map(|layer| layer.trim().split("::").last());
        names.filter(|name| !name.is_empty()).collect()
    }

    #[test]
    fn keeps_the_order_of_the_contract() {
        let expected = ["Json", "Record", "Guard", "Panic", "KeepDeadline", "Limit", "Messages", "Fault", "Routes"];
        assert_eq!(order(std::any::type_name::<Stack<NoLayers>>()), expected);
    }

    #[test]
    fn has_the_users_layers_after_the_permit_and_before_the_body() {
        let with_layers = order(std::any::type_name::<Stack<Layers<Identity>>>());
        assert_eq!(with_layers, ["Json", "Record", "Guard", "Panic", "KeepDeadline", "Limit", "Layered", "Innermost"]);
    }
}
