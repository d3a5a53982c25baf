//! What all workers of a process know. Nothing here is locked on the way of a call.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize},
};

use anyhow::Context as _;
use http::HeaderValue;

use super::{ServerFlags, connection::Lifetime, drain::Phases, methods::Methods};
use crate::{Service, layers::fault::Faults};

/// What all workers of a process know.
pub(crate) struct Shared {
    pub service: &'static Service,
    pub methods: Methods,
    pub phases: Phases,
    pub instance: String,
    pub served_by: HeaderValue,
    pub faults: Faults,
    /// Calls in flight that count against the limit.
    pub calls: AtomicUsize,
    pub max_calls: usize,
    pub max_message: usize,
    pub lifetime: Lifetime,
    /// Calls that the end of the drain cut.
    pub cut: AtomicUsize,
    pub reflection: bool,
    process_wide: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl Shared {
    pub(crate) fn new(
        service: &'static Service,
        methods: Methods,
        flags: &ServerFlags,
        phases: Phases,
    ) -> anyhow::Result<Self> {
        let instance = flags.instance();
        let served_by = format!("{}/{instance}", service.name);
        Ok(Shared {
            service,
            methods,
            phases,
            served_by: HeaderValue::try_from(served_by).context("the instance name cannot be a header")?,
            faults: Faults::new(&flags.faults, instance.clone()),
            instance,
            calls: AtomicUsize::new(0),
            max_calls: flags.max_concurrent_calls,
            max_message: flags.max_message_size,
            lifetime: Lifetime::new(flags),
            cut: AtomicUsize::new(0),
            reflection: !flags.no_reflection,
            process_wide: Mutex::default(),
        })
    }

    /// What the workers share, by type; the first to ask makes it.
    pub(crate) fn process_wide<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut all = self.process_wide.lock().unwrap_or_else(PoisonError::into_inner);
        let one = all.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
        one.clone().downcast().expect("it is stored under its own type")
    }
}
