//! At most so many calls at once in this process; one more is refused at once instead of waiting in a queue.
//!
//! Health and reflection do not count: an overloaded process is still alive, and whoever debugs it wants to see it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use http_body_util::BodyExt as _;
use tokio::time::timeout;
use tonic::body::Body;

use super::{Handle, prepared::Prepared};
use crate::{
    origin::refused,
    server::{Shared, methods::Method},
    status::Refusal,
};

/// So long a refused call's request may still arrive: half of what a refusal may take (contract, row 26).
const REST_OF_REQUEST: Duration = Duration::from_millis(5);

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
        if !counts {
            return self.inner.handle(request).await;
        }
        match Permit::take(&self.shared.calls, self.shared.max_calls) {
            // On the heap: what a call needs from here on would be moved about with each call that is refused.
            Some(_permit) => Box::pin(self.inner.handle(request)).await,
            None => {
                take_rest(request.into_body()).await;
                self.overloaded.answer()
            }
        }
    }
}

/// Takes what is left of a request that nobody will read.
///
/// A stream that is answered before its request has ended is reset, and what arrives then is a mistake of its peer's to h2,
/// which closes the connection, with all calls on it, at the 1,025th. A caller whose messages come a moment after their
/// headers must not lose its accepted calls because others of its calls are refused.
async fn take_rest(mut body: Body) {
    let _ = timeout(REST_OF_REQUEST, async { while let Some(Ok(_)) = body.frame().await {} }).await;
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
    use clap::Parser as _;
    use http_body_util::StreamBody;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
        sync::watch,
        time::{Instant, sleep},
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
        // In time to be taken, and too late for that.
        for late in [REST_OF_REQUEST / 5, REST_OF_REQUEST * 5] {
            keeps_a_connection_with_messages(late).await;
        }
    }

    async fn keeps_a_connection_with_messages(late: Duration) {
        let (mut client, _phase) = overloaded();
        client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let get = [0x83, 0x86, 0x84, 0x41, 1, b'a'];
        let calls = 3_000;
        for batch in 0..calls / 100 {
            let streams = (0..100).map(|call| (batch * 100 + call) * 2 + 1);
            let headers: Vec<u8> = streams.clone().flat_map(|id| frame(HEADERS, END_HEADERS, id, &get)).collect();
            client.write_all(&headers).await.unwrap();
            sleep(late).await;
            let messages: Vec<u8> = streams.flat_map(|id| frame(DATA, END_STREAM, id, b"late")).collect();
            client.write_all(&messages).await.unwrap();
            sleep(Duration::from_millis(1)).await;
        }
        let came = came(&mut client).await;
        let count = |kind| came.iter().filter(|came| **came == kind).count();
        assert_eq!((count(HEADERS), count(GOAWAY)), (calls as usize, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn does_not_wait_long_for_a_message_that_does_not_come() {
        let never = futures_util::stream::pending::<Result<http_body::Frame<bytes::Bytes>, tonic::Status>>();
        let began = Instant::now();
        take_rest(Body::new(StreamBody::new(never))).await;
        assert!(began.elapsed() <= REST_OF_REQUEST + Duration::from_millis(1), "{:?}", began.elapsed());
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
