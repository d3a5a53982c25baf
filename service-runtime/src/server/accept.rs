//! Takes connections and hands each to the worker that has the fewest.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tracing::warn;

use super::worker::Handle;

/// When the system has no file descriptors left, trying again at once would only burn CPU.
const NO_ROOM: Duration = Duration::from_millis(100);

/// The listener and the workers behind it.
pub struct Acceptor<'a> {
    pub listener: &'a TcpListener,
    pub workers: &'a [Handle],
    pub max_connections: usize,
}

impl Acceptor<'_> {
    /// Accepts until it is dropped.
    pub async fn run(&self) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => self.hand_over(stream).await,
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => {
                    warn!(cause = %error, "cannot accept connections; waiting");
                    sleep(NO_ROOM).await;
                }
            }
        }
    }

    /// Accepts what is already in the queue, and nothing after it.
    pub async fn take_queued(&self) {
        loop {
            tokio::select! {
                biased;
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => self.hand_over(stream).await,
                    Err(_) => return,
                },
                () = std::future::ready(()) => return,
            }
        }
    }

    async fn hand_over(&self, stream: TcpStream) {
        let open = |worker: &Handle| worker.open.load(Ordering::Relaxed);
        let all: usize = self.workers.iter().map(open).sum();
        // One over the limit is closed at once: it learns it now and not after a timeout.
        if all >= self.max_connections {
            return;
        }
        // An answer is small and complete: waiting for more to send (Nagle) would cost 40 ms.
        let _ = stream.set_nodelay(true);
        let Some(worker) = self.workers.iter().min_by_key(|worker| open(worker)) else {
            return;
        };
        let Ok(stream) = stream.into_std() else { return };
        worker.open.fetch_add(1, Ordering::Relaxed);
        if worker.connections.send(stream).await.is_err() {
            worker.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The peer gave up while it was queued; the next one may be fine.
fn is_about_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted | Kind::ConnectionReset | Kind::ConnectionRefused | Kind::Interrupted
    )
}
