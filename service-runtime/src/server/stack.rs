//! THE list of layers, outermost first: what a call passes on its way in, and its answer on the way out.

use std::sync::Arc;

use tonic::service::Routes;

use super::Shared;
use crate::layers::{
    deadline::KeepDeadline, fault::Fault, guard::Guard, json::Json, limit::Limit, message::OneMessage, panic::Panic,
    record::Record,
};

/// The stack's type is its order.
pub type Stack = Json<Record<Guard<Panic<KeepDeadline<Limit<OneMessage<Fault<Routes>>>>>>>>;

/// Builds the stack of one worker.
#[rustfmt::skip]
pub fn stack(shared: &Arc<Shared>, routes: Routes) -> Stack {
    let shared = || shared.clone();
    // Plain HTTP becomes gRPC; everything inside sees gRPC only.
    Json { shared: shared(), inner:
    // One log line a call, also for those that are refused further in.
    Record { shared: shared(), inner:
    // Not gRPC, or no such method: refused before anything is spent on it.
    Guard { shared: shared(), inner:
    // A panic further in is this call's failure and nobody else's.
    Panic { shared: shared(), inner:
    // From here on the caller's clock runs: over the limit's answer, the message's arrival and the handler.
    KeepDeadline { shared: shared(), inner:
    // Counts calls in flight; before the body is read, so that a refusal is cheap.
    Limit::new(shared(),
    // Exactly one message, whole and within its limit.
    OneMessage { shared: shared(), inner:
    // Faults on demand; last, so that a bad request is refused as ever.
    Fault { shared: shared(), inner: routes.prepare() } }) } } } } }
}

#[cfg(test)]
mod tests {
    use super::Stack;

    #[test]
    fn keeps_the_order_of_the_contract() {
        let order: Vec<&str> = std::any::type_name::<Stack>()
            .split('<')
            .filter_map(|layer| layer.trim_end_matches('>').split("::").last())
            .collect();
        let expected = ["Json", "Record", "Guard", "Panic", "KeepDeadline", "Limit", "OneMessage", "Fault", "Routes"];
        assert_eq!(order, expected);
    }
}
