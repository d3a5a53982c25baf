//! The body of an answer that has been read: one message, and the trailers after it.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

/// One message with its frame header, and trailers. The status stands in them and not in the headers: an answer whose headers have
/// one is decoded by tonic within 4 MiB, whatever limit its client was given.
#[derive(Clone, Debug, Default)]
pub struct WholeBody {
    pub(super) message: Option<Bytes>,
    pub(super) trailers: Option<HeaderMap>,
}

impl WholeBody {
    /// The message, if it has not been taken.
    pub fn message(&self) -> Option<&Bytes> {
        self.message.as_ref()
    }

    /// The trailers, if they have not been taken.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }
}

impl Body for WholeBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let message = self.message.take().map(Frame::data);
        Poll::Ready(message.or_else(|| self.trailers.take().map(Frame::trailers)).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.message.as_ref().map_or(0, |message| message.len() as u64))
    }
}
