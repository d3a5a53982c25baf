//! Calls through the channel to a peer, which is a server of ours in memory or one whose frames the test sends. On a paused clock.

mod cancel;
mod deadline;
mod flow;
mod kinds;
mod message;
mod metadata;
mod peer;
mod retry;
mod status;
mod threads;

use std::{sync::Arc, time::Duration};

use futures_util::{Stream, stream};
use service_runtime::{
    Identity, Peer,
    client::{Dial, PeerChannel, Upstream, UpstreamConfig, WorkerUpstream},
    context::Context,
    deadline::Deadline,
};
use tokio::{sync::mpsc, time::timeout};
use tonic::{Status, Streaming};

use crate::{
    caller::said,
    generated::{DESCRIPTORS, Item, streams_client::StreamsClient},
};

/// What does not come within this time of the paused clock does not come.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

const MS: Duration = Duration::from_millis(1);

/// A peer behind `dial`, and calls to it within a deadline.
struct Calls {
    upstream: WorkerUpstream,
    context: Context,
}

fn calls(dial: impl Dial) -> Calls {
    calls_with(dial, |_| {})
}

fn calls_with(dial: impl Dial, change: impl FnOnce(&mut UpstreamConfig)) -> Calls {
    crate::log::install();
    let mut config = UpstreamConfig::in_process();
    change(&mut config);
    let peer = Peer::new("streams").descriptors(DESCRIPTORS);
    let upstream = Upstream::new(peer, config).unwrap().dialer(Arc::new(dial));
    Calls { upstream: upstream.connect(&Identity::new("tester", "test.v1")), context: Context::new() }
}

impl Calls {
    fn within(self, timeout: Duration) -> Self {
        Calls { context: self.context.with_deadline(Deadline::after(timeout)), ..self }
    }

    fn client(&self) -> StreamsClient<PeerChannel> {
        StreamsClient::new(self.upstream.channel(&self.context))
    }
}

fn item(content: impl Into<Vec<u8>>) -> Item {
    Item { content: content.into() }
}

/// The items that the test sends, and then the end of the stream.
fn items() -> (mpsc::Sender<Item>, impl Stream<Item = Item> + Send + 'static) {
    let (items, receiver) = mpsc::channel(1);
    (items, stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) }))
}

/// The next item's content, or the reason of the stream's failure; `None` at its end with OK.
async fn next(stream: &mut Streaming<Item>) -> Option<Result<Vec<u8>, String>> {
    match timeout(LONGEST, stream.message()).await.expect("it comes") {
        Ok(item) => item.map(|item| Ok(item.content)),
        Err(status) => Some(Err(reason(&status))),
    }
}

/// The code and the reason, and the one more word where there is one: `Internal STREAMS_BROKEN too large`.
fn reason(status: &Status) -> String {
    let details = service_runtime::origin::Origin::of(status).and_then(|origin| origin.details).unwrap_or_default();
    let (code, reason) = said(status);
    format!("{code:?} {reason} {details}").trim_end().to_owned()
}
