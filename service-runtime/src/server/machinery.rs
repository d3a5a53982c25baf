//! The services that every process has beside its own: the standard health service, and reflection.

use std::sync::Arc;

use tonic::service::Routes;

use super::{ServerFlags, Shared};
use crate::{health, reflection};

/// What they consist of.
pub(crate) fn descriptors(flags: &ServerFlags) -> Vec<&'static [u8]> {
    let reflection = if flags.no_reflection { &[][..] } else { &reflection::DESCRIPTORS };
    [&[health::DESCRIPTORS][..], reflection].concat()
}

/// The service's routes and theirs.
pub(crate) fn add_to(routes: Routes, shared: &Arc<Shared>) -> Routes {
    let routes = routes.add_service(health::service(shared.clone()));
    if shared.reflection { reflection::add_to(routes, shared.service) } else { routes }
}
