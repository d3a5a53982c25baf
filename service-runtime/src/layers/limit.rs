//! At most so many calls at once in this process; one more is refused at once instead of waiting in a queue.
//!
//! Health and reflection do not count: an overloaded process is still alive, and whoever debugs it wants to see it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Request, Response};
use tonic::body::Body;

use super::{Handle, prepared::Prepared};
use crate::{
    origin::refused,
    server::{Shared, methods::Method},
    status::Refusal,
};

pub(crate) struct Limit<S> {
    shared: Arc<Shared>,
    /// Always the same answer, and wanted most when there is least time to make it.
    overloaded: Prepared,
    inner: S,
}

impl<S: Handle> Limit<S> {
    pub fn new(shared: Arc<Shared>, inner: S) -> Self {
        let overloaded = Prepared::new(refused(shared.service, Refusal::Overloaded));
        Limit { shared, overloaded, inner }
    }
}

impl<S: Handle> Handle for Limit<S> {
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let counts = request.extensions().get::<Method>().is_none_or(|method| !method.probe);
        match counts.then(|| Permit::take(&self.shared.calls, self.shared.max_calls)) {
            Some(None) => self.overloaded.answer(),
            // On the heap: each call that is refused would have room for what a call needs from here on, and be moved with it.
            _permit => Box::pin(self.inner.handle(request)).await,
        }
    }
}

/// One call among those that are counted, until it is dropped.
struct Permit<'a>(&'a AtomicUsize);

impl<'a> Permit<'a> {
    fn take(calls: &'a AtomicUsize, limit: usize) -> Option<Self> {
        let permit = Permit(calls);
        // Counted first, so that two calls at once cannot both take the last place; dropping gives it back.
        (calls.fetch_add(1, Ordering::AcqRel) < limit).then_some(permit)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser as _;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
        sync::watch,
        time::sleep,
    };

    use super::*;
    use crate::{
        frames::{DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, Step},
        server::{
            ServerFlags, connection,
            drain::{Phase, Phases},
            methods::Methods,
        },
        service::B,
    };

    /// A connection to a service that takes no call, and the other end of its phases.
    fn overloaded() -> (DuplexStream, watch::Sender<Phase>) {
        #[derive(clap::Parser)]
        struct Flags {
            #[command(flatten)]
            server: ServerFlags,
        }
        struct Nobody;
        impl Handle for Nobody {
            async fn handle(&self, _: Request<Body>) -> Response<Body> {
                unreachable!("every call is refused")
            }
        }
        let (phase, phases) = watch::channel(Phase::Serving);
        let phases = Phases(phases);
        let flags = ServerFlags { max_concurrent_calls: 0, ..Flags::parse_from(["x"]).server };
        let shared = Arc::new(Shared::new(&B, Methods::new(&B, &[]).unwrap(), &flags, phases.clone()).unwrap());
        let (client, server) = duplex(4 << 20);
        let lifetime = shared.lifetime;
        tokio::spawn(connection::serve(server, None, Arc::new(Limit::new(shared, Nobody)), lifetime, phases));
        (client, phase)
    }

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let head = [0, 0, u8::try_from(payload.len()).unwrap(), kind, flags];
        [&head, &stream.to_be_bytes()[..], payload].concat()
    }

    /// The kinds of the frames that have come.
    async fn came(client: &mut DuplexStream) -> Vec<u8> {
        let (mut bytes, mut kinds) = (Vec::with_capacity(4 << 20), Vec::new());
        client.read_buf(&mut bytes).await.unwrap();
        Frames::default().follow(&bytes, |step| {
            if let Step::Head(head) = step {
                kinds.push(head.kind);
            }
        });
        kinds
    }

    #[tokio::test(start_paused = true)]
    async fn keeps_the_connection_of_a_caller_whose_messages_come_after_their_headers() {
        let (mut client, _phase) = overloaded();
        client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let get = [0x83, 0x86, 0x84, 0x41, 1, b'a'];
        let calls = 3_000;
        for batch in 0..calls / 100 {
            let streams = (0..100).map(|call| (batch * 100 + call) * 2 + 1);
            let headers: Vec<u8> = streams.clone().flat_map(|id| frame(HEADERS, END_HEADERS, id, &get)).collect();
            client.write_all(&headers).await.unwrap();
            sleep(Duration::from_millis(1)).await;
            let messages: Vec<u8> = streams.flat_map(|id| frame(DATA, END_STREAM, id, b"late")).collect();
            client.write_all(&messages).await.unwrap();
            sleep(Duration::from_millis(1)).await;
        }
        let came = came(&mut client).await;
        let count = |kind| came.iter().filter(|came| **came == kind).count();
        assert_eq!((count(HEADERS), count(GOAWAY)), (calls as usize, 0));
    }

    #[test]
    fn refuses_one_more_than_the_limit_and_takes_again_after_one_ended() {
        let calls = AtomicUsize::new(0);
        let first = Permit::take(&calls, 2);
        let second = Permit::take(&calls, 2);
        assert!(first.is_some() && second.is_some());
        assert!(Permit::take(&calls, 2).is_none());
        drop(first);
        assert!(Permit::take(&calls, 2).is_some());
    }
}
