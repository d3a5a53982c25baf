//! One request and its answer on an HTTP/2 connection, by h2 alone: a message that is whole is handed over at once, and only a request
//! that streams needs a task of its own.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, client::SendRequest};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

use super::{lent::Lent, seen::Seen};
use crate::status::Cause;

/// What a request sends after its headers.
pub(crate) enum Outbound {
    /// One message with its frame header.
    Message(Bytes),
    /// Messages as they come.
    Stream(Lent),
}

/// Sends a request. Errors: the connection takes none any more; nothing of it was sent.
pub(super) fn begin(
    mut sender: SendRequest<Bytes>,
    request: Request<()>,
    body: Outbound,
    under_way: UnderWay,
) -> Result<impl Future<Output = Result<Response<PeerBody>, Cause>> + Send + use<>, h2::Error> {
    let answer = match body {
        Outbound::Message(message) => {
            let (answer, mut stream) = sender.send_request(request, message.is_empty())?;
            if !message.is_empty() {
                // Whatever of it the peer's window does not take yet waits in h2. An error here is the answer's too.
                let _ = stream.send_data(message, true);
            }
            answer
        }
        Outbound::Stream(lent) => {
            let (answer, stream) = sender.send_request(request, false)?;
            // It ends with its call: with the stream, or when the call takes back what it lent.
            tokio::spawn(Sending { lent, stream, waits: Bytes::new() });
            answer
        }
    };
    Ok(async move {
        let answer = answer.await.map_err(|error| under_way.cause(&error))?;
        Ok(answer.map(|inner| PeerBody { inner, under_way }))
    })
}

/// A call that its connection counts until it is dropped.
pub(super) struct UnderWay(Arc<Seen>);

impl UnderWay {
    pub fn begin(seen: &Arc<Seen>) -> Self {
        seen.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(seen.clone())
    }

    /// What has failed the call. How a connection ended is known best where its bytes are seen.
    fn cause(&self, error: &h2::Error) -> Cause {
        match Cause::of_h2(error) {
            Cause::ConnectionLost("closed") => self.0.end.get().copied().unwrap_or(Cause::ConnectionLost("closed")),
            cause => cause,
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a peer answers after its headers. Dropped before its end, it cancels the call.
pub(crate) struct PeerBody {
    inner: RecvStream,
    under_way: UnderWay,
}

impl Body for PeerBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let PeerBody { inner, under_way } = &mut *self;
        let failed = |error: h2::Error| Some(Err(under_way.cause(&error).into()));
        Poll::Ready(match ready!(inner.poll_data(cx)) {
            Some(Ok(data)) => {
                // What was read makes room for more. Errors: the stream is over.
                let _ = inner.flow_control().release_capacity(data.len());
                Some(Ok(Frame::data(data)))
            }
            Some(Err(error)) => failed(error),
            None => match ready!(inner.poll_trailers(cx)) {
                Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
                Err(error) => failed(error),
            },
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Sends a request that streams, as far as the peer's window goes.
struct Sending {
    lent: Lent,
    stream: SendStream<Bytes>,
    /// For room in the window.
    waits: Bytes,
}

impl Sending {
    /// Ready once everything is sent, or nothing can be any more.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        loop {
            while !self.waits.is_empty() {
                let room = self.stream.capacity();
                if room > 0 {
                    let part = self.waits.split_to(room.min(self.waits.len()));
                    self.stream.send_data(part, false).map_err(|_| Reason::CANCEL)?;
                } else if !matches!(ready!(self.stream.poll_capacity(cx)), Some(Ok(_))) {
                    // The stream is over.
                    return Poll::Ready(Ok(()));
                }
            }
            match ready!(self.lent.poll_frame(cx)) {
                None => {
                    let _ = self.stream.send_data(Bytes::new(), true);
                    return Poll::Ready(Ok(()));
                }
                Some(Err(_)) => return Poll::Ready(Err(Reason::INTERNAL_ERROR)),
                Some(Ok(frame)) => {
                    // A request over gRPC has no trailers.
                    self.waits = frame.into_data().unwrap_or_default();
                    self.stream.reserve_capacity(self.waits.len());
                }
            }
        }
    }
}

impl Future for Sending {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // The call may end while its request waits for the window, or for the next message.
        if self.lent.is_given_up(cx) {
            self.stream.send_reset(Reason::CANCEL);
            return Poll::Ready(());
        }
        // The peer has reset the stream, or the connection is over.
        if self.stream.poll_reset(cx).is_ready() {
            return Poll::Ready(());
        }
        let sent = ready!(self.poll_send(cx));
        if let Err(reason) = sent {
            self.stream.send_reset(reason);
        }
        Poll::Ready(())
    }
}
