//! From the errors of h2 and the system to a cause: by their types, never by their text.

use std::{error::Error, io};

use tonic::{Code, Status};

use super::{Broken, Cause};

impl Cause {
    /// Why a connection attempt failed.
    pub fn of_connect(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        Cause::Unreachable(match error.kind() {
            Kind::ConnectionRefused => "connection refused",
            Kind::TimedOut => "connect timeout",
            Kind::HostUnreachable | Kind::NetworkUnreachable => "no route",
            Kind::ConnectionReset => "reset",
            _ => "connect failed",
        })
    }

    /// The cause behind a status that it was put behind.
    pub(crate) fn behind(status: &Status) -> Option<Self> {
        status.source().and_then(Self::known)
    }

    /// The cause of a failure of a call. What has no cause behind it was made by a generated client: it could not decode a message, or
    /// found it larger than its own limit.
    pub fn of(status: &Status) -> Self {
        let by_generated_code = match status.code() {
            Code::OutOfRange | Code::ResourceExhausted => Broken::TooLarge,
            _ => Broken::Undecodable,
        };
        Self::behind(status).unwrap_or(Cause::Broken(by_generated_code))
    }

    /// The first thing in an error's chain that is known.
    fn known(error: &(dyn Error + 'static)) -> Option<Self> {
        std::iter::successors(Some(error), |&error| error.source()).find_map(|error| {
            let cause = error.downcast_ref::<Cause>().copied();
            let h2 = || error.downcast_ref().map(Self::of_h2);
            let io = || error.downcast_ref().map(Self::of_io);
            cause.or_else(h2).or_else(io)
        })
    }

    /// What has failed a stream, or all streams of a connection.
    pub(crate) fn of_h2(error: &h2::Error) -> Self {
        match error.reason() {
            None => error.get_io().map_or(Cause::ConnectionLost("closed"), Self::of_io),
            // h2 says so of streams above the last one that the peer names; the others end with the connection.
            Some(_) if error.is_go_away() && error.is_remote() => Cause::GoingAway,
            Some(reason) if error.is_reset() && error.is_remote() => Cause::Reset(reason.into()),
            // What the peer sent is not HTTP/2, or too much of it.
            Some(_) => Cause::Broken(Broken::Http2),
        }
    }

    fn of_io(error: &io::Error) -> Self {
        Cause::ConnectionLost(match error.kind() {
            io::ErrorKind::ConnectionReset => "reset",
            io::ErrorKind::TimedOut => "no answer to keepalive",
            _ => "closed",
        })
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

    /// What becomes of a call, the first on its connection, whose peer says SETTINGS and then this frame.
    async fn caused_by(frame: &[u8]) -> Cause {
        let (client, mut peer) = duplex(64 * 1024);
        let (mut sender, connection) = h2::client::handshake(client).await.unwrap();
        let (answer, _) = sender.send_request(Request::get("http://service-a/").body(()).unwrap(), true).unwrap();
        tokio::spawn(connection);
        // The connection's turn: it sends the request.
        tokio::task::yield_now().await;
        peer.write_all(&[&SETTINGS, frame].concat()).await.unwrap();
        Cause::of_h2(&answer.await.unwrap_err())
    }

    #[test]
    fn finds_a_cause_again_behind_a_status() {
        let status = Status::from(Cause::ConnectionLost("reset"));
        assert_eq!(Cause::of(&status), Cause::ConnectionLost("reset"));
        assert_eq!(Cause::of(&Cause::Answered(5).on(Status::not_found("x"))), Cause::Answered(5));
    }

    #[test]
    fn takes_a_status_without_a_cause_for_a_message_that_the_generated_client_did_not_take() {
        assert_eq!(Cause::of(&Status::internal("x")), Cause::Broken(Broken::Undecodable));
        assert_eq!(Cause::of(&Status::out_of_range("x")), Cause::Broken(Broken::TooLarge));
    }

    #[test]
    fn reads_a_failed_connect() {
        use io::ErrorKind as Kind;
        for (kind, word) in [
            (Kind::ConnectionRefused, "connection refused"),
            (Kind::TimedOut, "connect timeout"),
            (Kind::HostUnreachable, "no route"),
            (Kind::NetworkUnreachable, "no route"),
            (Kind::ConnectionReset, "reset"),
            (Kind::PermissionDenied, "connect failed"),
        ] {
            assert_eq!(Cause::of_connect(&kind.into()), Cause::Unreachable(word), "{kind:?}");
        }
    }

    #[test]
    fn reads_the_end_of_a_connection() {
        use io::ErrorKind as Kind;
        for (kind, word) in
            [(Kind::ConnectionReset, "reset"), (Kind::TimedOut, "no answer to keepalive"), (Kind::BrokenPipe, "closed")]
        {
            let status = Status::from_error(Box::new(io::Error::from(kind)));
            assert_eq!(Cause::of(&status), Cause::ConnectionLost(word), "{kind:?}");
        }
    }

    #[test]
    fn does_not_take_its_own_complaint_about_the_peer_for_the_peers_word() {
        // Made here, not received: neither GOAWAY nor RST_STREAM of the peer's.
        let own = h2::Error::from(h2::Reason::REFUSED_STREAM);
        assert_eq!(Cause::of_h2(&own), Cause::Broken(Broken::Http2));
    }

    #[tokio::test]
    async fn reads_what_the_peer_says_of_the_stream_and_of_the_connection() {
        let reset = |reason| [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, reason];
        for reason in [2, 7, 8] {
            assert_eq!(caused_by(&reset(reason)).await, Cause::Reset(reason.into()));
        }
        let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(caused_by(&goaway).await, Cause::GoingAway);
    }

    #[tokio::test]
    async fn says_that_the_answer_is_not_http2_where_h2_gives_up_the_stream_or_the_connection() {
        let status_after_another_header = [0, 0, 6, 1, 4, 0, 0, 0, 1, 0, 1, b'a', 1, b'b', 0x88];
        let window_update_by_zero = [0, 0, 4, 8, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        for frame in [&status_after_another_header[..], &window_update_by_zero] {
            assert_eq!(caused_by(frame).await, Cause::Broken(Broken::Http2), "{frame:?}");
        }
    }
}
