//! How a server ends: somebody asks for it, phases carry it out.

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
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

    /// A shutdown that SIGTERM or SIGINT asks for, each time it comes, and the first SIGHUP: a terminal that closes sends more than
    /// one, and means a drain, not a cut. Started with SIGHUP ignored, as by `nohup`, the process goes on ignoring it.
    ///
    /// Errors: the system refuses to install a handler. Needs a Tokio runtime.
    pub fn on_signals() -> std::io::Result<Shutdown> {
        let (trigger, shutdown) = Shutdown::new();
        let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut hangup = Hangup::new()?;
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = term.recv() => trigger.ask(),
                    _ = interrupt.recv() => trigger.ask(),
                    () = hangup.recv() => trigger.ask_for_drain(),
                }
            }
        });
        Ok(shutdown)
    }

    /// Returns once a drain was asked for.
    pub async fn drain(&self) {
        self.asked(1).await;
    }

    /// Returns once it was asked for a second time: what is left is to be cut at once.
    pub async fn cut(&self) {
        self.asked(2).await;
    }

    /// A shutdown that is asked for once `future` has returned; it is never asked for a second time. Needs a Tokio runtime.
    ///
    /// The task that waits for `future` ends with the last clone of the shutdown.
    pub fn when(future: impl Future<Output = ()> + Send + 'static) -> Shutdown {
        let (trigger, shutdown) = Shutdown::new();
        tokio::spawn(async move {
            tokio::select! { () = future => trigger.ask(), () = trigger.0.closed() => {} }
        });
        shutdown
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

    /// Asks for a drain, if nobody has yet; never for a cut.
    pub fn ask_for_drain(&self) {
        self.0.send_modify(|asked| *asked = (*asked).max(1));
    }
}

/// The first SIGHUP: the terminal is closing. None comes to a process that was started with SIGHUP ignored, as by `nohup`.
#[derive(Debug)]
pub struct Hangup(Option<Signal>);

impl Hangup {
    /// Takes the signal from now on. Errors: the system refuses. Needs a Tokio runtime.
    pub fn new() -> std::io::Result<Self> {
        Ok(Hangup(if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) }))
    }

    /// Returns once it has come; never a second time, for a terminal that closes sends more than one.
    pub async fn recv(&mut self) {
        match &mut self.0 {
            Some(signal) => signal.recv().await,
            None => std::future::pending().await,
        };
        // Still taken by the process, and of no effect.
        self.0 = None;
    }
}

/// Whether SIGHUP, signal number 1, is among those that this process ignores. Only Linux tells without `unsafe`; elsewhere a service
/// under `nohup` drains.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
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
#[derive(Clone, Debug)]
pub struct Phases(watch::Receiver<Phase>);

impl Phases {
    /// The phases of a process that serves, and the hand that moves them on.
    pub fn new() -> (watch::Sender<Phase>, Phases) {
        let (phase, phases) = watch::channel(Phase::Serving);
        (phase, Phases(phases))
    }

    /// The phase now.
    pub fn now(&self) -> Phase {
        *self.0.borrow()
    }

    /// Whether the process takes calls and means to go on: what health says.
    pub fn is_serving(&self) -> bool {
        self.now() == Phase::Serving
    }

    /// Returns once `phase` has come. A process whose owner is gone has reached every phase.
    pub async fn reached(&self, phase: Phase) {
        let _ = self.0.clone().wait_for(|now| *now >= phase).await;
    }
}

impl<F: Future<Output = ()> + Send + 'static> From<F> for Shutdown {
    fn from(future: F) -> Self {
        Shutdown::when(future)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn drains_when_it_is_asked_and_cuts_when_it_is_asked_again() {
        let (trigger, shutdown) = Shutdown::new();
        assert!(shutdown.drain().now_or_never().is_none());
        trigger.ask();
        shutdown.drain().await;
        assert!(shutdown.cut().now_or_never().is_none());
        trigger.ask();
        shutdown.cut().await;
    }

    #[tokio::test]
    async fn drains_and_does_not_cut_however_often_only_a_drain_is_asked_for() {
        let (trigger, shutdown) = Shutdown::new();
        trigger.ask_for_drain();
        shutdown.drain().await;
        trigger.ask_for_drain();
        assert!(shutdown.cut().now_or_never().is_none());
        trigger.ask();
        shutdown.cut().await;
    }

    #[tokio::test]
    async fn is_asked_for_by_the_end_of_any_future_which_it_drops_with_itself() {
        let (end, ended) = oneshot::channel::<()>();
        let shutdown = Shutdown::from(async { drop(ended.await) });
        end.send(()).unwrap();
        shutdown.drain().await;
        let (mut end, ended) = oneshot::channel::<()>();
        drop(Shutdown::from(async { drop(ended.await) }));
        end.closed().await;
    }
}
