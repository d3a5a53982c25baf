//! The connections that calls go over, in turn. One that dies is replaced: at once, then with gRPC's backoff.

use std::{cell::Cell, time::Duration};

use service_runtime::{
    client::{
        Backoff,
        connection::{Connection, Gone},
    },
    status::Cause,
};
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{sleep, timeout},
};

use crate::{call, options::CallOptions};

/// Several connections to the same target.
pub struct Links {
    links: Vec<Link>,
    next: Cell<usize>,
}

impl Links {
    /// Starts to connect. Needs a `LocalSet`.
    pub fn new(options: &CallOptions, connections: usize) -> Self {
        Links { links: (0..connections).map(|_| Link::new(options.clone())).collect(), next: Cell::new(0) }
    }

    /// Returns once the first try of each has ended, one way or the other; after `patience` in any case.
    pub async fn tried(&self, patience: Duration) {
        let all = async {
            for link in &self.links {
                let _ = link.decided().await;
            }
        };
        let _ = timeout(patience, all).await;
    }

    /// The next one that is ready. Where none is, the call waits for a first try, and fails with what the last one said.
    pub async fn pick(&self) -> Result<Connection, Cause> {
        let turn = self.next.get();
        self.next.set((turn + 1) % self.links.len());
        let (before, from) = self.links.split_at(turn);
        match from.iter().chain(before).find_map(Link::now) {
            Some(connection) => Ok(connection),
            None => self.links[turn].decided().await,
        }
    }
}

struct Link {
    state: watch::Receiver<State>,
    task: AbortHandle,
}

enum State {
    /// The first try since the start, or since a connection was lost.
    Connecting,
    Ready(Connection),
    /// The last try failed so; it stays so until one succeeds.
    Down(Cause),
}

impl State {
    fn connection(&self) -> Option<Result<Connection, Cause>> {
        match self {
            State::Ready(connection) if !connection.is_gone() => Some(Ok(connection.clone())),
            State::Down(cause) => Some(Err(*cause)),
            State::Ready(_) | State::Connecting => None,
        }
    }
}

impl Link {
    fn new(options: CallOptions) -> Self {
        let (sender, state) = watch::channel(State::Connecting);
        let task = tokio::task::spawn_local(keep_connected(options, sender)).abort_handle();
        Link { state, task }
    }

    fn now(&self) -> Option<Connection> {
        self.state.borrow().connection()?.ok()
    }

    async fn decided(&self) -> Result<Connection, Cause> {
        let mut state = self.state.clone();
        let decided = state.wait_for(|state| state.connection().is_some()).await;
        let connection = decided.ok().and_then(|state| state.connection());
        connection.unwrap_or(Err(Cause::Unreachable("closed")))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep_connected(options: CallOptions, state: watch::Sender<State>) {
    let mut backoff = Backoff::default();
    let mut second_try = true;
    loop {
        let cause = match call::connect(&options, || {}).await {
            Ok(connection) => {
                match use_up(connection, &state).await {
                    Gone::UsedUp => {
                        backoff = Backoff::default();
                        second_try = true;
                        continue;
                    }
                    // Calls wait for the next connection meanwhile.
                    Gone::Unused | Gone::Leaving => {
                        sleep(backoff.next_pause()).await;
                        continue;
                    }
                    Gone::Failed => Cause::Unreachable("closed"),
                }
            }
            // Perhaps the last act of a server that is being replaced, or that ends each connection after a while.
            Err(Cause::Unreachable("closed" | "reset")) if std::mem::take(&mut second_try) => continue,
            Err(cause) => cause,
        };
        state.send_replace(State::Down(cause));
        sleep(backoff.next_pause()).await;
    }
}

/// Offers the connection to calls until it is gone, and says what it was.
async fn use_up(connection: Connection, state: &watch::Sender<State>) -> Gone {
    state.send_replace(State::Ready(connection.clone()));
    connection.gone().await;
    state.send_replace(State::Connecting);
    connection.was()
}
