//! One connection of an open loop, as bare frames: some two microseconds a call, where a gRPC client takes eighty. A
//! generator that is dearer than the refusals it provokes takes the machine from the service it measures.
//!
//! It tells answers apart by their frames: a message came, or nothing but a status. What the status was is not asked here.

use std::{
    collections::HashMap,
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Instant,
};

use bytes::{Buf, BytesMut};
use hostile_peer::frame::{
    self, ACK, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};

/// How many calls a service takes at a time on one connection.
const STREAMS: usize = 100;
/// The largest window there is.
const WINDOW: u32 = (1 << 31) - 1;
const FIRST_WINDOW: u32 = 65_535;

/// A call that has ended.
pub struct Ended {
    /// When it was to start.
    pub intended: Instant,
    /// Whether a message came, and not only a status.
    pub answered: bool,
}

/// What is called, and with what deadline.
pub struct Target {
    /// Where.
    pub address: SocketAddr,
    /// The gRPC method, such as `/echo.v1.EchoService/Echo`.
    pub path: &'static str,
    /// `grpc-timeout`.
    pub timeout: &'static str,
}

/// A connection, and the calls that are under way on it.
pub struct Connection {
    stream: TcpStream,
    out: BytesMut,
    incoming: BytesMut,
    under_way: HashMap<u32, UnderWay>,
    next_id: u32,
    headers: Vec<u8>,
}

struct UnderWay {
    intended: Instant,
    message: bool,
}

impl Connection {
    /// Connects and says who it is. Errors: nothing listens there.
    pub fn open(target: &Target) -> io::Result<Self> {
        let stream = TcpStream::connect(target.address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut out = BytesMut::from(frame::PREFACE);
        // Answers are never held back: a window of the largest size for each stream, and for all of them together.
        frame::put_settings(&mut out, &[(frame::INITIAL_WINDOW_SIZE, WINDOW)]);
        frame::put(&mut out, WINDOW_UPDATE, 0, 0, &(WINDOW - FIRST_WINDOW).to_be_bytes());
        let headers = first_headers(target);
        Ok(Connection { stream, out, incoming: BytesMut::new(), under_way: HashMap::new(), next_id: 1, headers })
    }

    /// Whether the service takes one more call here.
    pub fn has_room(&self) -> bool {
        self.under_way.len() < STREAMS
    }

    /// Makes a call, which goes out with the next [`flush`](Self::flush).
    pub fn call(&mut self, intended: Instant) {
        let id = self.next_id;
        self.next_id += 2;
        frame::put(&mut self.out, HEADERS, END_HEADERS, id, &self.headers);
        frame::put(&mut self.out, DATA, END_STREAM, id, MESSAGE);
        // From the second call on each header is one byte: the service has them in its table.
        self.headers = LATER_HEADERS.to_vec();
        self.under_way.insert(id, UnderWay { intended, message: false });
    }

    /// Writes what the system takes.
    pub fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(written) => self.out.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what there is and calls `ended` for each call that has ended. Errors: the connection is over.
    pub fn receive(&mut self, buffer: &mut [u8], mut ended: impl FnMut(Ended)) -> io::Result<()> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.incoming.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            while let Some(frame) = frame::take(&mut self.incoming).map_err(io::Error::other)? {
                self.take(&frame, &mut ended)?;
            }
        }
    }

    fn take(&mut self, frame: &Frame, ended: &mut impl FnMut(Ended)) -> io::Result<()> {
        match frame.kind {
            SETTINGS if frame.flags & ACK == 0 => frame::put(&mut self.out, SETTINGS, ACK, 0, &[]),
            PING if frame.flags & ACK == 0 => frame::put(&mut self.out, PING, ACK, 0, &frame.payload),
            GOAWAY => return Err(ErrorKind::ConnectionAborted.into()),
            DATA | HEADERS => {
                if let Some(call) = self.under_way.get_mut(&frame.stream) {
                    call.message |= frame.kind == DATA && !frame.payload.is_empty();
                }
                if frame.flags & END_STREAM != 0 {
                    self.end(frame.stream, ended);
                }
            }
            RST_STREAM => self.end(frame.stream, ended),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, id: u32, ended: &mut impl FnMut(Ended)) {
        if let Some(UnderWay { intended, message }) = self.under_way.remove(&id) {
            ended(Ended { intended, answered: message });
        }
    }

    /// Calls that have not ended.
    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }
}

/// Twenty-four letters in field 1, in a gRPC frame: the request of both services.
const MESSAGE: &[u8] = b"\0\0\0\0\x1a\x0a\x18abcdefghijklmnopqrstuvwx";

/// `:method: POST`, `:scheme: http`, and what the first request put into the table, the last of it first. Source: RFC 7541.
const LATER_HEADERS: &[u8] = &[0x83, 0x86, 0xc2, 0xc1, 0xc0, 0xbf, 0xbe];

/// The same in full, each of the five to be kept in the table.
fn first_headers(target: &Target) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    let authority = target.address.to_string();
    // The names of the first three stand in HPACK's own table, at 4, 1 and 31.
    let fields = [(4, "", target.path), (1, "", &*authority), (31, "", "application/grpc")];
    for (index, name, value) in fields.into_iter().chain([(0, "te", "trailers"), (0, "grpc-timeout", target.timeout)]) {
        block.push(0x40 | index);
        for text in [name, value].into_iter().filter(|text| !text.is_empty()) {
            block.push(u8::try_from(text.len()).unwrap_or(0x7e));
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}
