//! What all workers of a process know. Nothing here is locked on the way of a call.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::AtomicUsize},
};

use http::HeaderValue;

use super::config::ServerConfig;
use crate::{
    identity::{Identity, LONGEST_INSTANCE, visible},
    layers::{fault::Faults, json},
    shutdown::Phases,
};

/// The method behind `GET /`: every server has it, and it takes an empty message.
const ANSWERS_NOTHING_WITH_OK: &str = "/grpc.health.v1.Health/Check";

/// What all workers of a process know; `A` are the user's layers.
pub struct Shared<A> {
    pub identity: Identity,
    pub instance: Arc<str>,
    pub served_by: HeaderValue,
    pub config: ServerConfig,
    pub descriptors: Cow<'static, [u8]>,
    pub json: Arc<[json::Route]>,
    pub around: A,
    pub faults: Arc<Faults>,
    pub phases: Phases,
    /// Calls in flight that count against the limit.
    pub calls: Arc<AtomicUsize>,
    /// Calls that the end of the drain cut.
    pub cut: AtomicUsize,
}

impl<A> Shared<A> {
    /// Errors: a configuration that cannot be.
    pub fn new(
        identity: Identity,
        config: ServerConfig,
        descriptors: Cow<'static, [u8]>,
        mut json: Vec<json::Route>,
        around: A,
        phases: Phases,
    ) -> anyhow::Result<Self> {
        config.check()?;
        let instance = config.instance();
        let name = visible(identity.name().as_bytes(), LONGEST_INSTANCE);
        // A service may have a path of its own there.
        if !json.is_empty() && !json.iter().any(json::Route::is_root) {
            json.push(json::Route::listing(identity.name(), &json, ANSWERS_NOTHING_WITH_OK));
        }
        Ok(Shared {
            served_by: HeaderValue::try_from(format!("{name}/{instance}")).expect("visible ASCII is a header value"),
            faults: Arc::new(Faults::new(config.faults.clone(), &instance)),
            identity,
            instance,
            config,
            descriptors,
            json: json.into(),
            around,
            phases,
            calls: Arc::default(),
            cut: AtomicUsize::new(0),
        })
    }
}
