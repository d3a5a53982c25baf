//! How a process ends: signals ask for it, phases carry it out.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// What the process was asked: to drain at the first signal, to cut at the second.
#[derive(Clone)]
pub struct Shutdown(watch::Receiver<u32>);

/// Asks for a shutdown by hand, as tests and embedding programs do.
pub struct Trigger(watch::Sender<u32>);

impl Shutdown {
    /// A shutdown and the trigger that asks for it. Without its trigger it is never asked for.
    pub fn new() -> (Trigger, Shutdown) {
        let (sender, receiver) = watch::channel(0);
        (Trigger(sender), Shutdown(receiver))
    }

    /// A shutdown that SIGTERM or SIGINT asks for, each time it comes.
    ///
    /// Errors: the system refuses to install a handler. Needs a Tokio runtime.
    pub(crate) fn on_signals() -> std::io::Result<Shutdown> {
        let (trigger, shutdown) = Shutdown::new();
        let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::spawn(async move {
            loop {
                tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
                trigger.ask();
            }
        });
        Ok(shutdown)
    }

    /// Returns once a drain was asked for.
    pub async fn drain(&self) {
        self.asked(1).await;
    }

    /// Returns once it was asked for a second time: no more patience.
    pub async fn cut(&self) {
        self.asked(2).await;
    }

    async fn asked(&self, times: u32) {
        if self.0.clone().wait_for(|asked| *asked >= times).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Trigger {
    /// Asks for a drain; asked again, for a cut.
    pub fn ask(&self) {
        self.0.send_modify(|asked| *asked = asked.saturating_add(1));
    }
}

/// The phases of a process, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Takes calls.
    Serving,
    /// Still takes calls, but says NOT_SERVING, so that balancers look elsewhere.
    LameDuck,
    /// Connections finish what they have.
    Draining,
    /// What is left is cut.
    Cut,
}

/// Tells the phase, and when the next one comes.
#[derive(Clone)]
pub struct Phases(pub(crate) watch::Receiver<Phase>);

impl Phases {
    /// The phase now.
    pub fn now(&self) -> Phase {
        *self.0.borrow()
    }

    /// Returns once `phase` has come. A process whose owner is gone has reached every phase.
    pub async fn reached(&self, phase: Phase) {
        let _ = self.0.clone().wait_for(|now| *now >= phase).await;
    }
}
