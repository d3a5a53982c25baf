//! A streamed answer as generated code may see it: whole messages within their limit, a status that is there, the deadline, and a
//! failure as a status of the contract.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use tokio::time::{Sleep, sleep_until};
use tonic::Status;

use super::{check, exchange::PeerBody, lent::EndsRequest, replica::Attempt, under_way::PeerCallUnderWay};
use crate::{
    context::SERVED_BY,
    grpc::{self, Encoding, Wrong},
    status::{Broken, Cause},
};

/// The body of an answer that streams. Dropped before its end, it cancels the call.
pub struct Incoming {
    /// `None` once it has been said how the call ended.
    inner: Option<PeerBody>,
    encoding: Encoding,
    /// The begin of a message, at most as long as the limit.
    bytes: BytesMut,
    deadline: Option<Pin<Box<Sleep>>>,
    /// What has to be said of the call at its end; `None` once it has been.
    call: Option<Ending>,
}

struct Ending {
    call: Box<PeerCallUnderWay>,
    attempt: Attempt,
    /// By the headers.
    served_by: Option<HeaderValue>,
    /// The call has ended, and with it what is still sent.
    _request: EndsRequest,
}

impl Incoming {
    pub(super) fn new(
        inner: PeerBody,
        encoding: Encoding,
        call: Box<PeerCallUnderWay>,
        mut attempt: Attempt,
        served_by: Option<HeaderValue>,
        request: EndsRequest,
    ) -> Self {
        attempt.answers();
        let deadline = call.deadline.map(|(deadline, _)| Box::pin(sleep_until(deadline.at())));
        Incoming {
            inner: Some(inner),
            encoding,
            bytes: BytesMut::new(),
            deadline,
            call: Some(Ending { call, attempt, served_by, _request: request }),
        }
    }

    /// The next message that is whole, with its frame header.
    fn next(&mut self, limit: usize) -> Result<Option<Bytes>, Wrong<Status>> {
        let Some(frame) = grpc::take_frame(&mut self.bytes, limit, self.encoding)? else { return Ok(None) };
        self.encoding.undo(frame, limit).map(Some)
    }

    /// The last word of the call. Its connection may take another in its place from now on.
    fn ends(&mut self, how: impl FnOnce(&mut Ending) -> Result<Option<Frame<Bytes>>, Status>) -> Poll<Option<Answer>> {
        self.inner = None;
        self.bytes.clear();
        let Some(mut ending) = self.call.take() else { return Poll::Ready(None) };
        Poll::Ready(how(&mut ending).transpose())
    }

    fn fails(&mut self, cause: Cause) -> Poll<Option<Answer>> {
        self.fails_as(&cause.into())
    }

    fn fails_as(&mut self, status: &Status) -> Poll<Option<Answer>> {
        self.ends(|Ending { call, attempt, served_by, .. }| {
            let mut status = status.clone();
            // Who speaks stands in the headers.
            if let Some(served_by) = served_by.take() {
                status.metadata_mut().as_mut().entry(SERVED_BY).or_insert(served_by);
            }
            let status = &status;
            let failed = call.read(status);
            attempt.ended(Some(failed.cause));
            Err(call.failed(failed))
        })
    }

    fn is_finished(&mut self, trailers: HeaderMap) -> Poll<Option<Answer>> {
        if let Err(status) = check::trailers(&trailers) {
            return self.fails_as(&status);
        }
        if !self.bytes.is_empty() {
            return self.fails(Cause::Broken(Broken::CutShort));
        }
        self.ends(|_| Ok(Some(Frame::trailers(check::safe(trailers)))))
    }
}

type Answer = Result<Frame<Bytes>, Status>;

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Answer>> {
        let Some(limit) = self.call.as_ref().map(|ending| ending.call.worker.max_message) else {
            return Poll::Ready(None);
        };
        if self.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready()) {
            return self.ends(|ending| Err(ending.call.time_is_up()));
        }
        loop {
            match self.next(limit) {
                Err(wrong) => return self.fails(check::cause(&wrong)),
                Ok(Some(message)) => return Poll::Ready(Some(Ok(Frame::data(message)))),
                Ok(None) => {}
            }
            let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
            match ready!(Pin::new(inner).poll_frame(cx)) {
                None => return self.fails(Cause::Broken(Broken::NoStatus)),
                Some(Err(status)) => return self.fails_as(&status),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.bytes.extend_from_slice(&data),
                    Err(frame) => return self.is_finished(frame.into_trailers().unwrap_or_default()),
                },
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.call.is_none()
    }
}
